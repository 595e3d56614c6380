"""The page of a long audit: examples and curves are of a sample, and it says so; figures are of all images."""

import numpy as np

from bincam.audit.folder import reader
from bincam.report.html.page import build, open_source, render


def test_a_long_audit_is_shown_by_a_stated_sample(bare, tmp_path, monkeypatch):
    whole = open_source(bare).arms[0]
    monkeypatch.setattr("bincam.audit.folder.parts.sampled.MOST", 30)
    source = open_source(bare)
    arm = source.arms[0]
    rows = arm.columns["row"]
    assert len(rows) <= 30
    assert set(rows.tolist()) <= set(whole.columns["row"].tolist())
    for position in (0, len(rows) - 1):
        there = whole.positions[int(rows[position])]
        assert np.array_equal(arm.map(position, "Bald"), whole.map(there, "Bald"))
        assert arm.column("Bald", "logit")[position] == whole.column("Bald", "logit")[there]
    page = build(source, tmp_path / "report.html")
    text = render(page)
    assert "random sample of 30 of the 60 images" in text
    counts = reader.open_audit(bare).summary["attributes"]["Bald"]["counts"]
    card = next(card for card in page.cards if card.name == "Bald")
    assert card.groups
    assert all(group.count.startswith(f"{counts[group.outcome]:,} ") for group in card.groups)
