"""The table of the randomisation test's power: in the docs as it was measured, and as it is simulated."""

from pathlib import Path

from bincam.files import read_json
from experiments.truth import power

DOCS = Path(__file__).parents[2] / "docs" / "measures.md"


def test_the_docs_have_what_was_measured():
    content = read_json(power.FILE, kind=power.KIND, schema=power.SCHEMA)
    assert power.table(content) in DOCS.read_text(encoding="utf-8")
    assert all(cell["shares"]["0.2"]["fail"] == 0 for cell in content["cells"])


def test_a_mixture_is_seen_from_some_share_on():
    found = power.simulate("independent", 5, 20, runs=3)
    assert 0.2 < found["seen_from"] <= 0.5
    assert found["shares"]["0.0"]["fail"] == 0
    assert found["shares"]["0.9"] == {
        "fail": 1.0,
        "pass": 0.0,
        "cannot tell": 0.0,
        "excess": found["shares"]["0.9"]["excess"],
    }
    assert found["shares"]["0.9"]["excess"] > 0.5
