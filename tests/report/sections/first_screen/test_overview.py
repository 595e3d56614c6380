"""Words below the plots of the overview."""

from types import SimpleNamespace

import pytest

from bincam.report.sections.first_screen import overview, table
from bincam.report.sections.first_screen.comparisons import ERRORS
from bincam.report.view.parts import Cell
from bincam.report.view_model import Column, TableRow
from bincam.stats.estimate import Estimate, estimate

SHOWN = estimate(0.74, 0.7, 0.8, 100, None, "t")


@pytest.mark.parametrize(
    ("means", "words"),
    [
        (
            (SHOWN, Estimate.of_value(float("nan"))),
            "Minority 74 % [70, 80] (100 images), majority undefined on average; no",
        ),
        ((Estimate.of_value(float("nan")),) * 2, "Undefined for every attribute."),
    ],
)
def test_a_class_without_numbers_does_not_hide_the_other(monkeypatch, means, words):
    monkeypatch.setattr(overview, "_classes_of", lambda *_: ("minority", "majority"))
    comparison = SimpleNamespace(defined=lambda *_: {}, means=lambda *_: means, kind="percent")
    said = overview._in_words(SimpleNamespace(label="audited model", role=""), ["Smiling"], comparison, named=False)
    assert said.replace("\u202f", " ").startswith(words)


class Model:
    """A model with an error of each attribute, NaN for none."""

    def __init__(self, **errors):
        self.errors = errors

    def rate(self, attribute, _):
        return Estimate.of_value(self.errors[attribute])

    def overall(self, attributes, *_):
        return estimate(self.mean_of(attributes).value, 0.1, 0.5, 100, None, "of all")

    def mean_of(self, attributes, *_):
        known = [self.errors[name] for name in attributes if self.errors[name] == self.errors[name]]
        return Estimate.of_value(sum(known) / len(known)) if known else Estimate.of_value(float("nan"))


def test_means_of_two_models_are_over_the_same_attributes():
    nan = float("nan")
    one, other = Model(a=0.1, b=0.3, c=0.5), Model(a=0.2, b=0.4, c=nan)
    assert ERRORS.alike([one, other], ["a", "b", "c"], 0) == ["a", "b"]
    first, second = ERRORS.mean_alike([one, other], ["a", "b", "c"], 0)
    assert (first.value, second.value) == (pytest.approx(0.2), pytest.approx(0.3))
    assert first.low != first.low  # its own interval is of three attributes
    assert second.method == "of all"
    assert ERRORS.mean_alike([one], ["a", "b", "c"], 0)[0].value == pytest.approx(0.3)
    assert overview._count(2, 3, several=True) == "mean of the 2 of 3 attributes that have it in each model"
    assert overview._count(3, 3, several=True) == "mean of 3 attributes"


def test_cells_without_a_value_have_their_reason_below_the_table():
    columns = [Column("attribute", "Attribute", "", "text", ""), Column("auroc", "AUROC", "Error", "number", "")]
    why = f"{table.UNDEFINED_BECAUSE}{table.reason('auroc')}"
    rows = [TableRow("m", "a", [Cell("a", "a"), Cell("–", None, note=why)], {})]
    assert table.undefined(columns, rows) == [f"auroc: {table.reason('auroc')}"]
    assert table.undefined(columns, [TableRow("m", "a", [Cell("a", "a"), Cell("0.9", 0.9)], {})]) == []
    assert table.reason("bias_minority", moved=True) == table.AT_ANOTHER_THRESHOLD
    assert table.reason("gain_minority", moved=True) == table.reason("gain_minority")
