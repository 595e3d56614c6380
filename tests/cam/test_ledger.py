"""The terms of the ledger sum to the decision for every reference, and undefined ones are NaN."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import Explainer, Reference
from bincam.cam.ledger import floor, ledger
from bincam.cam.reference import ReferenceFit
from bincam.errors import InputError, UnsupportedError
from tests.conftest import ATTRIBUTES, TinyNet, randomize

ZERO = torch.zeros(1, 1, dtype=torch.float64)


def account(evidence: list[float], bias: float, side: float, threshold: float = 0.0) -> object:
    cells = torch.tensor(evidence, dtype=torch.float64).view(1, 1, 1, -1)
    b, sigma, t = (torch.full((1, 1), v, dtype=torch.float64) for v in (bias, side, threshold))
    return ledger(cells, b, ZERO, b + cells.sum(), sigma, t[0])


def test_by_hand() -> None:
    # z = 0.5 + 2 - 1 = 1.5, explained side +, t = 0.25: bias 0.25, support 2.25, opposition 1.
    terms = account([2.0, -1.0, 0.0], 0.5, 1.0, 0.25)
    assert (float(terms.support), float(terms.opposition)) == (2.25, 1.0)
    assert float(terms.bias_share) == pytest.approx(0.25 / 2.25)
    assert (float(terms.placed_support), float(terms.placed_opposition)) == (2.0, 1.0)
    assert float(terms.empty) == 0
    assert float(terms.gap) == 0
    # The negative side of the same image: only the -1 supports it.
    other = account([2.0, -1.0, 0.0], 0.5, -1.0, 0.25)
    assert (float(other.support), float(other.opposition), float(other.bias_share)) == (1.0, 2.25, 0.0)


def test_only_a_bias() -> None:
    terms = account([0.0, 0.0], -2.0, -1.0)
    assert float(terms.bias_share) == 1
    assert float(terms.empty) == 1


def test_nothing_supports_the_side() -> None:
    terms = account([-1.0, -2.0], -1.0, 1.0)
    assert torch.isnan(terms.bias_share).all()
    assert terms.undefined == 1
    assert float(terms.empty) == 1


@pytest.mark.parametrize(
    ("cells", "side", "moved"),
    [
        ([3.0, 1.0, 2.0], 1.0, [2.0, 0.0, 1.0]),  # all for: the least goes
        ([3.0, 1.0, 2.0], -1.0, [2.0, 0.0, 1.0]),  # all against the side: the nearest to zero goes
        ([-3.0, -1.0], 1.0, [-2.0, 0.0]),
        ([3.0, -1.0], 1.0, [3.0, -1.0]),  # both signs: nothing
        ([3.0, 0.0], 1.0, [3.0, 0.0]),
    ],
)
def test_floor_by_hand(cells: list[float], side: float, moved: list[float]) -> None:
    evidence = torch.tensor(cells, dtype=torch.float64).view(1, 1, 1, -1)
    sigma = torch.full((1, 1), side, dtype=torch.float64)
    got, bias = floor(evidence, ZERO, sigma)
    assert got.flatten().tolist() == moved
    assert float(bias) == sum(cells) - sum(moved)


@pytest.mark.parametrize("side", ["predicted", "positive", "negative"])
@pytest.mark.parametrize("reference", ["zero", "floor", "midpoint", "mean", "balanced_mean"])
def test_books_balance(images: Tensor, side: str, reference: str) -> None:
    torch.manual_seed(0)
    model = randomize(TinyNet()).double()
    explainer = Explainer(model, ATTRIBUTES, method="layer_cam", threshold={"Bald": 0.3})
    labels = torch.tensor([[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, torch.nan, 0]])
    ref = (
        reference if reference in ("zero", "floor") else explainer.fit_reference([(images.double(), labels)], reference)
    )
    terms = explainer(images.double(), side).ledger(ref)
    explanation = explainer(images.double(), side)
    torch.testing.assert_close(
        terms.support - terms.opposition, explanation.side * (explanation.logits - explanation.threshold)
    )
    assert float(terms.gap.abs().max()) < 1e-12
    assert terms.reference == reference
    share = terms.bias_share
    assert ((share >= 0) & (share <= 1) | torch.isnan(share)).all()


def test_a_head_without_an_account_gives_nan_and_the_reason(images: Tensor) -> None:
    class Mlp(TinyNet):
        def forward(self, images: Tensor) -> Tensor:
            return torch.tanh(super().forward(images))

    torch.manual_seed(0)
    explainer = Explainer(randomize(Mlp()))
    terms = explainer(images).ledger()
    for field in (terms.support, terms.opposition, terms.bias_share, terms.empty, terms.gap):
        assert torch.isnan(field).all()
    assert "tanh" in terms.reason
    assert terms.undefined == 12
    with pytest.raises(UnsupportedError, match="tanh"):
        explainer.fit_reference([(images, torch.zeros(3, 4))])


def test_layernorm_head_balances_with_its_statistics_fixed(images: Tensor) -> None:
    class Normed(TinyNet):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(6)

        def forward(self, images: Tensor) -> Tensor:
            return self.head(self.norm(self.features(images).mean((2, 3))))

    torch.manual_seed(0)
    explanation = Explainer(randomize(Normed()).double(), method="grad_cam")(images.double())
    assert explanation.kind == "conditional"
    assert float(explanation.ledger().gap.abs().max()) < 1e-12
    # True gradients cancel through the normalisation: the map says (almost) nothing, the account says all.
    assert bool((explanation.maps.sum((-2, -1)).abs() < 0.02 * explanation.ledger().support).all())


# -- references --------------------------------------------------------------------------------------------------------


def toy(images_per_class: tuple[int, int]) -> tuple[nn.Module, Tensor, Tensor]:
    """An unbiased, errorless model: one pixel carries ±1 for the label and the head has no bias."""

    class Pixel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 1, 1, bias=False)
            self.head = nn.Linear(1, 1, bias=False)
            with torch.no_grad():
                self.conv.weight.copy_(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1))
                self.head.weight.fill_(4.0)

        def forward(self, images: Tensor) -> Tensor:
            return self.head(self.conv(images).mean((2, 3)))

    negative, positive = images_per_class
    labels = torch.cat([torch.zeros(negative), torch.ones(positive)])[:, None]
    images = torch.zeros(negative + positive, 3, 2, 2)
    images[:, 0, 0, 1] = 2 * labels[:, 0] - 1
    return Pixel(), images, labels


def test_the_mean_measures_prevalence_and_the_midpoint_does_not() -> None:
    model, images, labels = toy((90, 10))
    explainer = Explainer(model, ["x"])
    explanation = explainer(images)
    majority = explanation.side[:, 0] < 0
    assert int(majority.sum()) == 90
    midpoint = explanation.ledger(explainer.fit_reference([(images, labels)], "midpoint"))
    assert float(midpoint.bias_share.abs().max()) == 0
    mean = explanation.ledger(explainer.fit_reference([(images, labels)], "mean"))
    assert float(mean.bias_share[majority].mean()) > 0.5
    balanced = explanation.ledger(explainer.fit_reference([(images, labels)], "balanced_mean"))
    assert float(balanced.bias_share.abs().max()) == 0
    assert float(explanation.ledger().bias_share.abs().max()) == 0


def test_fitting_in_batches_is_fitting_at_once(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    labels = torch.tensor([[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, torch.nan, 0]])
    whole = explainer.fit_reference([(images, labels)])
    parts = explainer.fit_reference([(images[:1], labels[:1]), (images[1:], labels[1:])])
    torch.testing.assert_close(parts.grid, whole.grid)
    assert whole.counts.tolist() == [[1, 2], [1, 2], [1, 1], [2, 1]]
    evidence = explainer(images, "positive").decomposition
    assert evidence is not None
    expected = (evidence.evidence[[0, 2], 0].mean(0) + evidence.evidence[1, 0]) / 2
    torch.testing.assert_close(whole.grid[0], expected.double())


def test_one_class_alone_has_no_midpoint(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    reference = explainer.fit_reference([(images, torch.ones(3, 4))])
    terms = explainer(images).ledger(reference)
    assert torch.isnan(terms.bias_share).all()
    assert terms.undefined == 12


def test_references_survive_disk(tiny: nn.Module, images: Tensor, tmp_path: Path) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    labels = torch.tensor([[1, 0, 1, 1], [0, 1, 0, 1], [1, 1, 0, 1]])
    reference = explainer.fit_reference([(images, labels)])
    path = tmp_path / "reference.json"
    reference.save(path)
    again = Reference.load(path)
    assert again.digest == reference.digest
    torch.testing.assert_close(again.grid, reference.grid, equal_nan=True)
    subset = Explainer(tiny, ["Eyeglasses"], names=ATTRIBUTES)(images)
    torch.testing.assert_close(subset.ledger(again).support[:, 0], explainer(images).ledger(reference).support[:, 2])
    path.write_text(path.read_text().replace('"midpoint"', '"mean"'))
    with pytest.raises(InputError, match="checksum"):
        Reference.load(path)


def test_wrong_references_are_refused(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    explanation = explainer(images)
    with pytest.raises(InputError, match="'median'"):
        explanation.ledger("median")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="without Young"):
        explanation.ledger(Reference("mean", ATTRIBUTES[:3], torch.zeros(3, 6, 8), torch.zeros(3, 2)))
    with pytest.raises(InputError, match=r"\(3, 3\).*\(6, 8\)"):
        explanation.ledger(Reference("mean", ATTRIBUTES, torch.zeros(4, 3, 3), torch.zeros(4, 2)))
    with pytest.raises(InputError, match="at least one batch"):
        explainer.fit_reference([])
    with pytest.raises(InputError, match="'middle'"):
        explainer.fit_reference([(images, torch.ones(3, 4))], "middle")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"\(3, 2\).*\(3, 4\)"):
        ReferenceFit(ATTRIBUTES).add(torch.zeros(3, 4, 2, 2), torch.zeros(3, 2))
