"""The randomisation test of an audit: stored maps in place of new ones, the side that is audited, people."""

import numpy as np
import pytest
import torch

from bincam.audit.pipeline.runner import run
from bincam.audit.pipeline.tests_of_maps import parameter_test
from bincam.audit.pipeline.tests_of_maps.parameter_test import stored_maps
from bincam.cam.maps.native import NoEvidenceError
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted import reader

pytestmark = NOTES_ALLOWED


@pytest.fixture
def listening(monkeypatch):
    """What the test is called with."""
    asked, original = [], parameter_test.randomisation

    def noting(explainer, images, side, labels, **options):
        asked.append({"side": side, "labels": labels, "images": images, "result": None, **options})
        asked[-1]["result"] = original(explainer, images, side, labels, **options)
        asked[-1]["again"] = original(explainer, images, side, labels, **{**options, "drawn": None})
        return asked[-1]["result"]

    monkeypatch.setattr(parameter_test, "randomisation", noting)
    return asked


@pytest.mark.parametrize("side", ["positive", "predicted"])
def test_stored_maps_stand_for_new_ones(pictures, settings, tmp_path, listening, side):
    """A method that cannot tell the negative side could not be audited for the positive one otherwise."""
    model = reader(0)
    with torch.no_grad():
        for parameter in model.parameters():  # what it sees is in every picture
            parameter.normal_(generator=torch.Generator().manual_seed(parameter.numel()))
    done = run(model, pictures, tmp_path / "a", settings.replace(side=side, gate_images=24))
    (asked,) = listening
    assert asked["side"] == side
    assert asked["labels"].shape == (24, 2)
    assert asked["batch_size"] == settings.batch_size
    stored, drawn = asked["result"], asked["again"]
    torch.testing.assert_close(stored.correlation, drawn.correlation, atol=0.05, rtol=0, equal_nan=True)
    gate = done.sample["gates"]["grad_cam"]
    assert gate["verdict"] == stored.verdict == drawn.verdict
    assert gate["images"] == 24
    assert gate["draws"] == len(gate["excess_by_draw"]) == 2
    assert gate["cells"] == 64
    assert list(gate["variance_by_attribute"]) == list(done.attributes)
    assert done.summary["gates"]["grad_cam"] == gate


def test_the_stored_maps_are_those_of_the_rows(pictures, settings, tmp_path):
    done = run(reader(0), pictures, tmp_path / "a", settings)
    rows = np.array([30, 2, 17])
    maps, sides = stored_maps(done, "grad_cam", rows)
    every = np.concatenate(list(done.maps()))
    np.testing.assert_array_equal(maps.numpy(), every[rows].astype(np.float32))
    side = done.records(["side"])["side"].to_numpy().reshape(-1, 2)
    np.testing.assert_array_equal(sides.numpy(), side[rows])


def test_a_random_network_that_is_dead_leaves_the_question_open(pictures, settings, tmp_path, monkeypatch):
    """Permuted parameters can cut the layer off from the logits; that is no mistake of the user's, and no failure."""

    def of_a_dead_network(*_, **__):
        raise NoEvidenceError("the gradient at layer 'conv' is zero in every cell of every image")

    monkeypatch.setattr(parameter_test, "randomisation", of_a_dead_network)
    done = run(reader(0), pictures, tmp_path / "a", settings.replace(gate_images=24))
    gate = done.summary["gates"]["grad_cam"]
    assert (gate["verdict"], gate["passed"]) == ("cannot tell", False)
    assert "nothing of the layer reaches the logits" in gate["reason"]
