"""Words below the plots of the overview."""

from types import SimpleNamespace

import pytest

from bincam.report.sections.first_screen import overview
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
