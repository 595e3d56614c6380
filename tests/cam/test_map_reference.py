"""Maps counted from a reference add up as before, and are refused where there is nothing to count from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import METHODS, Explainer, Explanation, Reference
from bincam.errors import InputError, UnsupportedError
from bincam.references import FITTED_FOR_MAPS, MAP_REFERENCES
from tests.conftest import ATTRIBUTES, TinyNet, randomize

LABELS = torch.tensor([[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, torch.nan, 0]])
SIGNED = [name for name, method in METHODS.items() if method.signed]


@pytest.fixture
def model() -> nn.Module:
    return randomize(TinyNet()).double()


def explained(
    model: nn.Module, images: Tensor, name: str, side: str = "predicted", **asked: str
) -> tuple[Explanation, Explanation]:
    """Maps from zero, and from the reference, which is fitted on the same maps."""
    explainer = Explainer(model, ATTRIBUTES, threshold={"Bald": 0.3}, **asked)
    plain = explainer(images.double(), side)
    if name not in FITTED_FOR_MAPS:
        return plain, plain.against(name)
    return plain, plain.against(explainer.fit_reference([(images.double(), LABELS)], name, of="maps"))


@pytest.mark.parametrize("side", ["predicted", "positive", "negative"])
@pytest.mark.parametrize("name", MAP_REFERENCES)
def test_maps_and_constant_still_sum_to_the_logit(model: nn.Module, images: Tensor, name: str, side: str) -> None:
    plain, counted = explained(model, images, name, side)
    assert counted.complete
    assert counted.identity_gap.abs().max() < 1e-12
    assert counted.reference == name
    assert torch.equal(counted.logits, plain.logits)
    same = torch.allclose(counted.ledger().bias_share, plain.ledger().bias_share, rtol=0, atol=0, equal_nan=True)
    assert same  # the ledger has references of its own


@pytest.mark.parametrize("method", SIGNED)
@pytest.mark.parametrize("name", MAP_REFERENCES)
def test_what_was_missing_is_still_missing(model: nn.Module, images: Tensor, name: str, method: str) -> None:
    asked = {} if method in ("cam", "fullgrad") else {"layer": "conv1"}  # where Grad-CAM does not add up
    plain, counted = explained(model, images, name, method=method, **asked)
    assert torch.allclose(counted.identity_gap, plain.identity_gap, rtol=0, atol=1e-12)
    assert plain.maps.shape == counted.maps.shape


def test_what_each_reference_moves(model: nn.Module, images: Tensor) -> None:
    plain, template = explained(model, images, "template")
    evidence = plain.side[..., None, None] * plain.maps
    known = ~LABELS.isnan()
    for a in range(len(ATTRIBUTES)):
        mean = evidence[known[:, a], a].mean(0)
        own = plain.side[:, a, None, None] * (evidence[:, a] - (mean - mean.mean()))
        assert torch.allclose(template.maps[:, a], own, rtol=0, atol=1e-12)
    assert torch.allclose(template.bias, plain.bias, rtol=0, atol=1e-12)  # the template sums to 0

    _, common = explained(model, images, "attribute_mean")
    assert torch.allclose((common.side[..., None, None] * common.maps).sum(1), torch.zeros(()).double(), atol=1e-12)
    exceeds = (common.side[..., None, None] * common.maps).sum((-2, -1)) + plain.bias - plain.bias.mean(1, keepdim=True)
    assert torch.allclose(plain.logits - plain.logits.mean(1, keepdim=True), exceeds, rtol=0, atol=1e-12)

    _, midpoint = explained(model, images, "midpoint")
    books = plain.ledger(Explainer(model, ATTRIBUTES).fit_reference([(images.double(), LABELS)]))
    assert torch.allclose(midpoint.maps.relu().sum((-2, -1)), books.placed_support, rtol=0, atol=1e-12)
    constant = midpoint.side * (midpoint.bias - midpoint.threshold)
    assert torch.allclose(constant, books.bias, rtol=0, atol=1e-12)


def test_the_heads_own_reference_serves_its_own_maps(model: nn.Module, images: Tensor) -> None:
    explainer = Explainer(model, ATTRIBUTES, method="hirescam")
    batch = [(images.double(), LABELS)]
    head, maps = explainer.fit_reference(batch), explainer.fit_reference(batch, of="maps")
    assert (head.method, maps.method, maps.layer) == ("", "hirescam", explainer(images.double()).layer)
    assert head.digest != maps.digest
    own = explainer(images.double())
    assert torch.allclose(own.against(head).maps, own.against(maps).maps, rtol=0, atol=1e-12)


def test_a_planted_template_and_what_all_attributes_share_are_taken_out() -> None:
    class Planted(nn.Module):
        """Channels: a place per attribute, one that every image lights up there, one that is the image's brightness."""

        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Conv2d(4, 4, 1, bias=False)
            self.head = nn.Linear(4, 2)
            with torch.no_grad():
                self.features.weight.copy_(torch.eye(4)[..., None, None])
                self.head.weight.copy_(torch.tensor([[1.0, 0, 3, 2], [0, 1, 3, 2]]))

        def forward(self, images: Tensor) -> Tensor:
            found: Tensor = self.head(self.features(images).mean((-2, -1)))
            return found

    torch.manual_seed(0)
    own, frame = torch.rand(6, 2, 4, 4).double(), torch.zeros(1, 1, 4, 4).double()
    frame[..., 1:3, 1:3] = 1
    shared = torch.rand(6, 1, 4, 4).double()
    network, labels = Planted().double(), torch.ones(6, 2)
    explainer = Explainer(network, ["Bald", "Bangs"])
    still = torch.cat([own, frame.expand(6, -1, -1, -1), 0 * shared], 1)
    template = explainer.fit_reference([(still, labels)], "template")
    left = explainer(still, "positive").against(template).maps
    expected = own - own.mean(0) + own.mean((0, 2, 3), keepdim=True)
    expected += 3 * frame.mean()  # its amount stays, evenly
    assert torch.allclose(left, expected / 16, rtol=0, atol=1e-12)

    busy = torch.cat([own, 0 * frame.expand(6, -1, -1, -1), shared], 1)
    assert not torch.allclose(explainer(busy, "positive").maps, own / 16, atol=1e-3)
    differences = explainer(busy, "positive").against("attribute_mean").maps
    assert torch.allclose(differences, (own - own.mean(1, keepdim=True)) / 16, rtol=0, atol=1e-12)


def test_an_unknown_side_leaves_the_other_attributes_their_mean(model: nn.Module, images: Tensor) -> None:
    plain = Explainer(model, ATTRIBUTES)(images.double(), "true", LABELS)
    counted = plain.against("attribute_mean")
    assert counted.maps[2, 2].isnan().all()
    assert not counted.maps[2, 0].isnan().any()
    elsewhere = Explainer(model, ATTRIBUTES, method="grad_cam", layer="conv1")(images.double(), "true", LABELS)
    counted = elsewhere.against("attribute_mean")
    assert counted.maps[2].isnan().all()  # the mean of all attributes is unknown
    assert not counted.maps[:2].isnan().any()


def test_a_class_without_images_has_no_midpoint_and_a_template(model: nn.Module, images: Tensor) -> None:
    explainer = Explainer(model, ATTRIBUTES)
    batch = [(images.double(), torch.ones(3, 4))]
    explanation = explainer(images.double())
    assert explanation.against(explainer.fit_reference(batch)).maps.isnan().all()
    assert not explanation.against(explainer.fit_reference(batch, "template")).maps.isnan().any()


def test_refusals(model: nn.Module, images: Tensor) -> None:
    data = images.double()
    explainer = Explainer(model, ATTRIBUTES)
    reference = explainer.fit_reference([(data, LABELS)])
    with pytest.raises(InputError, match=r"^reference='midpoint'; expected 'zero', 'attribute_mean', or what Expl"):
        explainer(data).against("midpoint")
    with pytest.raises(InputError, match="one attribute: the mean of all attributes is its own map"):
        Explainer(model, ["Bald"], names=ATTRIBUTES)(data).against("attribute_mean")
    with pytest.raises(InputError, match="counted from midpoint already"):
        explainer(data).against(reference).against("attribute_mean")
    with pytest.raises(UnsupportedError, match="maps of layer_cam leave out the evidence against"):
        Explainer(model, ATTRIBUTES, method="layer_cam")(data).against(reference)
    with pytest.raises(UnsupportedError, match="maps of layer_cam leave out"):
        Explainer(model, ATTRIBUTES, method="layer_cam").fit_reference([(data, LABELS)], of="maps")
    elsewhere = Explainer(model, ATTRIBUTES, layer="conv1")
    with pytest.raises(InputError, match=r"fitted on the head's own evidence and the maps are of grad_cam at conv1"):
        elsewhere(data).against(reference)
    of_maps = elsewhere.fit_reference([(data, LABELS)], of="maps")
    with pytest.raises(InputError, match="fitted on maps of grad_cam and the ledger decomposes the head"):
        elsewhere(data).ledger(of_maps)
    with pytest.raises(InputError, match=r"of='map'; expected 'head' or 'maps'"):
        explainer.fit_reference([(data, LABELS)], of="map")  # type: ignore[arg-type]


def test_outputs_of_a_set_ask_for_the_mean_of_the_set(model: nn.Module, images: Tensor) -> None:
    explainer = Explainer(model, names=ATTRIBUTES, one_of={"kind": ATTRIBUTES[1:]})
    with pytest.raises(UnsupportedError, match=r"outputs of a set \(kind\).*versus='mean'"):
        explainer(images.double()).against("attribute_mean")
    template = explainer.fit_reference([(images.double(), LABELS)], "template")
    assert explainer(images.double()).against(template).identity_gap.abs().max() < 1e-12
    ranks = Explainer(model, names=ATTRIBUTES, one_of={"kind": ATTRIBUTES[1:]}, top=1)
    assert ranks(images.double()).against(template).identity_gap.abs().max() < 1e-12
    with pytest.raises(InputError, match="leave it out"):
        ranks.fit_reference([(images.double(), LABELS)], of="maps")


def test_a_reference_of_maps_survives_its_file(model: nn.Module, images: Tensor, tmp_path: Path) -> None:
    explainer = Explainer(model, ATTRIBUTES, layer="conv1")
    reference = explainer.fit_reference([(images.double(), LABELS)], "template", of="maps")
    reference.save(tmp_path / "template.json")
    stored = Reference.load(tmp_path / "template.json")
    assert (stored.method, stored.layer, stored.digest) == ("grad_cam", "conv1", reference.digest)
    explanation = explainer(images.double())
    assert torch.equal(explanation.against(stored).maps, explanation.against(reference).maps)
