"""Explanations and ledgers in a terminal and in a notebook, and the figure of an explanation."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import Explainer, Explanation
from bincam.errors import InputError
from tests.conftest import ATTRIBUTES


@pytest.fixture
def explanation(tiny: nn.Module, images: Tensor) -> Explanation:
    return Explainer(tiny, ATTRIBUTES)(images)


def panels(figure: object) -> int:
    return sum(bool(axes.get_images()) for axes in figure.axes)  # type: ignore[attr-defined]  # bars hold no image


def test_a_terminal_shows_the_first_rows(explanation: Explanation) -> None:
    title, head, *rows, note = repr(explanation).splitlines()
    assert title.startswith("Explanation of 3 images, 4 attributes: grad_cam at ")
    assert title.endswith(", maps of 6 × 8 cells")
    assert head.split()[-2:] == ["bias", "share"]
    assert len(rows) == 10
    assert rows[0].startswith("0, Smiling")
    assert rows[4].startswith("1, Smiling")
    assert note.startswith("exact: ")
    assert note.endswith("maps and constant sum to the logit; 10 of 12 rows are shown")


def test_a_ledger_shows_its_terms(explanation: Explanation) -> None:
    ledger = explanation.ledger("floor")
    title, _, first, *_ = repr(ledger).splitlines()
    assert title == "Ledger of 3 images, 4 attributes, reference floor, in logit units"
    assert first.split()[2] == f"{ledger.support[0, 0].item():.2f}"
    assert "<td" in ledger._repr_html_()


def test_without_decomposition_the_reason_is_shown(explanation: Explanation) -> None:
    ledger = replace(explanation, decomposition=None, reason="a reason").ledger()
    assert "a reason" in repr(ledger)
    assert repr(ledger).splitlines()[2].split()[2:] == ["–"] * 5


def test_nan_and_hostile_names_are_shown(explanation: Explanation) -> None:
    names = ("<script>", "$x$", "a\nb", "d")
    nan = torch.full_like(explanation.logits, math.nan)
    undefined = replace(
        explanation, attributes=names, logits=nan, side=nan, maps=explanation.maps * math.nan, decomposition=None
    )
    assert "<script> " in repr(undefined)
    html = undefined._repr_html_()
    assert "<script>" not in html
    assert "data:image/png;base64," in html
    assert "<script>" not in undefined.ledger()._repr_html_()


def test_plot_draws_a_panel_for_each_attribute(explanation: Explanation, images: Tensor) -> None:
    assert panels(explanation.plot()) == 4
    assert panels(explanation.plot(attributes=["Bald", "Young"])) == 2
    low, high = images.amin((0, 2, 3)), images.amax((0, 2, 3))
    figure = explanation.plot(images, image=-1, mean=(-low / (high - low)).tolist(), std=(1 / (high - low)).tolist())
    assert panels(figure) == 5
    pixels = figure.axes[0].get_images()[0].get_array()
    assert pixels.shape == (*images.shape[2:], 3)
    expected = ((images[-1] - low[:, None, None]) / (high - low)[:, None, None] * 255).round().permute(1, 2, 0)
    assert torch.equal(torch.as_tensor(pixels.astype(float)), expected.double())


def test_all_images_share_an_attribute_s_scale(explanation: Explanation) -> None:
    largest = explanation.maps[:, 1].abs().max().item()
    for image in range(3):
        figure = explanation.plot(image=image, attributes=["Bald"])
        assert figure.axes[0].get_images()[1].get_clim()[1] == pytest.approx(largest)


def test_grey_images_and_methods_without_sides(tiny: nn.Module, images: Tensor) -> None:
    explained = Explainer(tiny, ["Bald"], names=ATTRIBUTES, method="eigen_cam", layer="conv2")(images, "any")
    figure = explained.plot(torch.zeros(3, 1, *images.shape[2:]))
    assert panels(figure) == 2
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert any("activation, no side" in text for text in texts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attributes": ["Blad"]}, "did you mean 'Bald'"),
        ({"attributes": []}, "no attribute"),
        ({"image": 3}, "image=3 of an explanation of 3 images"),
        ({"images": torch.zeros(2, 3, 12, 16)}, "3 explained ones"),
        ({"images": torch.full((3, 3, 12, 16), 2.0)}, "between 2 and 2, expected 0 to 1"),
        ({"images": torch.zeros(3, 3, 12, 16), "mean": (0.5,)}, "mean has 1 value for images"),
    ],
)
def test_plot_refuses(explanation: Explanation, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        explanation.plot(**options)  # type: ignore[arg-type]
