"""Questions about outputs of a set: what an output is compared with, and which outputs are explained."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bincam.cam import Explainer, flips, smooth
from bincam.errors import InputError
from bincam.metrics import deletion, infidelity, randomisation
from tests.cam.sets.six_outputs import NAMES, RACE, SETS, network


@pytest.mark.parametrize("method", ["grad_cam", "fullgrad", "hirescam"])
@pytest.mark.parametrize("top", [None, 2])
@pytest.mark.parametrize("versus", ["runner_up", "mean", "nothing"])
def test_linear_questions_are_exact(pictures: Tensor, versus: str, top: int | None, method: str) -> None:
    model = network()
    explanation = Explainer(model, names=NAMES, one_of=SETS, versus=versus, top=top, method=method)(pictures)
    scores = model(pictures).detach()
    assert (explanation.kind, explanation.complete) == ("exact", True)
    assert explanation.identity_gap.abs().max() < 1e-12
    assert explanation.ledger().gap.abs().max() < 1e-12
    assert explanation.alternatives is not None
    assert not explanation.alternatives.any()
    own = Explainer(model, names=NAMES, one_of=SETS)(pictures)
    for image in range(5):
        for column, name in enumerate(explanation.output_names(image)):
            place = NAMES.index(name)
            members = next(([NAMES.index(n) for n in s] for s in SETS.values() if name in s), [place])
            others = [scores[image, m] for m in members if m != place]
            expected = {
                "runner_up": scores[image, place] - max(others, default=torch.tensor(0.0)),
                "mean": scores[image, place] - (scores[image, members].mean() if others else 0.0),
                "nothing": scores[image, place],
            }[versus]
            assert explanation.logits[image, column].item() == pytest.approx(float(expected))
            assert explanation.probability[image, column].item() == pytest.approx(own.probability[image, place].item())


def test_a_named_rival(pictures: Tensor) -> None:
    model = network()
    explanation = Explainer(model, names=NAMES, one_of=SETS, versus="Black")(pictures, "positive")
    raw = Explainer(model, names=NAMES)(pictures, "positive")
    assert explanation.attributes == ("White", "Asian")
    torch.testing.assert_close(explanation.maps, raw.maps[:, [0, 2]] - raw.maps[:, 1:2])
    with pytest.raises(InputError, match="'Male' is not one of them"):
        Explainer(model, ["White", "Male"], names=NAMES, one_of=SETS, versus="Black")
    with pytest.raises(InputError, match="versus='Blck'; did you mean 'Black'"):
        Explainer(model, names=NAMES, one_of=SETS, versus="Blck")
    with pytest.raises(InputError, match="'Male' is a yes-or-no attribute"):
        Explainer(model, names=NAMES, one_of=SETS, versus="Male")
    with pytest.raises(InputError, match="none are stated; state them with one_of="):
        Explainer(model, names=NAMES, versus="runner_up")
    with pytest.raises(InputError, match="is a question, but also the name of an output"):
        Explainer(network(outputs=2), names=("mean", "b"), one_of={"x": ["mean", "b"]}, versus="mean")
    best = Explainer(model, names=NAMES, one_of=SETS, top=1)(pictures).output_names(0)[1]
    with pytest.raises(InputError, match="image 0 would be explained for this output itself"):
        Explainer(model, names=NAMES, one_of=SETS, top=1, versus=best)(pictures[:1])


def test_a_subset_is_explained_with_the_scores_of_the_whole_set(pictures: Tensor) -> None:
    whole = Explainer(network(), names=NAMES, one_of=SETS)(pictures)
    part = Explainer(network(), ["Asian", "Male", "White"], names=NAMES, one_of=SETS)(pictures)
    for field in ("maps", "logits", "side", "predicted", "alternatives"):
        torch.testing.assert_close(getattr(part, field), getattr(whole, field)[:, [2, 3, 0]])
    torch.testing.assert_close(
        Explainer(network(), ["Asian"], names=NAMES, one_of=SETS).logits(pictures), whole.logits[:, 2:3]
    )


def test_top_explains_the_best_outputs_of_each_image(pictures: Tensor) -> None:
    model = network()
    whole = Explainer(model, names=NAMES, one_of=SETS)(pictures)
    labels = torch.tensor([[0, 1, 0, 1, 0, 1]] * 5)
    for batch_size in (None, 2):
        explainer = Explainer(model, names=NAMES, one_of=SETS, top=2, batch_size=batch_size)
        explanation = explainer(pictures, labels=labels)
        ranks = ("Male", "race: 1st", "race: 2nd", "race: true", "age: 1st", "age: 2nd", "age: true")
        assert explanation.attributes == ranks
        for image in range(5):
            names = explanation.output_names(image)
            assert names[3] == "Black"
            assert names[6] == "old"
            order = whole.logits[image, RACE].argsort(descending=True)
            assert [NAMES.index(name) for name in names[1:3]] == order[:2].tolist()
            columns = [NAMES.index(name) for name in names]
            for field in ("maps", "logits", "side", "predicted", "alternatives"):
                torch.testing.assert_close(getattr(explanation, field)[image], getattr(whole, field)[image, columns])
        torch.testing.assert_close(explainer.logits(pictures, like=explanation), explanation.logits)
        torch.testing.assert_close(explainer(pictures, like=explanation).maps, explanation.maps)
    with pytest.raises(InputError, match="it needs no attributes="):
        Explainer(model, ["White"], names=NAMES, one_of=SETS, top=1)
    with pytest.raises(InputError, match="it needs sets of outputs"):
        Explainer(model, names=NAMES, top=1)
    with pytest.raises(InputError, match="it needs at least 1"):
        Explainer(model, names=NAMES, one_of=SETS, top=0)
    with pytest.raises(InputError, match="image 0 has 0 true labels in set 'race'"):
        Explainer(model, names=NAMES, one_of=SETS, top=1)(pictures, labels=torch.zeros(5, 6))


def test_references_are_fitted_per_output_and_serve_every_question(pictures: Tensor) -> None:
    model = network()
    labels = torch.tensor([[1, 0, 0, 1, 0, 1], [0, 1, 0, 0, 1, 0], [0, 0, 1, 1, 1, 0]] * 2)[:5]
    whole = Explainer(model, names=NAMES, one_of=SETS)
    reference = whole.fit_reference([(pictures, labels)])
    evidence = whole(pictures).decomposition.evidence
    positive, negative = (evidence[labels[:, 1] == value][:, 1].mean(0) for value in (1, 0))
    torch.testing.assert_close(reference.grid[1], (positive + negative) / 2)
    ledger = whole(pictures).ledger(reference)
    assert ledger.gap.abs().max() < 1e-13
    best = Explainer(model, names=NAMES, one_of=SETS, top=1)
    torch.testing.assert_close(best.fit_reference([(pictures, labels)]).grid, reference.grid)
    explanation = best(pictures)
    own = explanation.ledger(reference)
    for image in range(5):
        column = NAMES.index(explanation.output_names(image)[1])
        torch.testing.assert_close(own.bias[image, 1], ledger.bias[image, column])


@pytest.mark.parametrize("top", [None, 1])
def test_changed_copies_are_explained_for_the_outputs_of_the_clean_image(pictures: Tensor, top: int | None) -> None:
    explainer = Explainer(network().float(), names=NAMES, one_of=SETS, versus="runner_up", top=top)
    images = pictures.float()
    clean = explainer(images)
    symmetric = flips(explainer, images + images.flip(-1)).maps
    torch.testing.assert_close(symmetric, symmetric.flip(-1), rtol=1e-3, atol=1e-5)
    noiseless = smooth(explainer, images, samples=2, noise=0.0)
    torch.testing.assert_close(noiseless.maps, clean.maps)
    smooth(explainer, images, samples=1, noise=5.0)
    assert infidelity(explainer, images, clean, patches=3).unexplained.shape == clean.logits.shape
    assert deletion(explainer, images, clean, steps=2).scores.shape[:2] == clean.logits.shape
    assert randomisation(explainer, images, stages=1, draws=1).correlation.shape[-2:] == clean.logits.shape
