"""Audits and contrasts in a terminal, in a notebook and as figures."""

import json

import pytest

from bincam.audit import open_audit
from bincam.audit.folder import reader
from bincam.compare import Contrast, compare
from bincam.compare.contrast import FILE
from bincam.errors import InputError
from tests.audit.synthetic import ATTRIBUTES
from tests.report.conftest import finished_audit

NAMES = ("<script>", *ATTRIBUTES[1:])


@pytest.fixture(scope="module")
def audits(tmp_path_factory):
    root = tmp_path_factory.mktemp("audits")
    return [
        open_audit(finished_audit(root / name, images=200, seed=n, attributes=NAMES)) for n, name in enumerate("ab")
    ]


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("contrast") / "out"


@pytest.fixture(scope="module")
def contrast(audits, out):
    return compare(*audits, out, moved={"Bald": -1.5}, resamples=50)


def rates(audit, name):
    return audit.summary["attributes"][name]["rates"]


def labels(axes):
    return [text.get_text() for text in axes.get_yticklabels()]


def test_an_audit_shows_n_and_interval_of_the_rarest_first(audits):
    title, head, first, *rows, note = repr(audits[0]).splitlines()
    summary = audits[0].summary
    assert f"{summary['images']:,} images of {summary['identities']} people, 6 attributes, grad_cam" in title
    assert head.split()[:4] == ["attribute", "rarer", "class", "n"]
    assert first.startswith("Wearing_Hat  positive, ")
    error = rates(audits[0], "Wearing_Hat")["fnr"]
    assert f" {error['images']} " in first
    assert f"[{100 * error['low']:.0f}, {100 * error['high']:.0f}]" in first
    assert len(rows) == len(NAMES) - 1
    assert note.startswith("intervals of 95\u202f%")
    assert "<script>" not in audits[0]._repr_html_()


def test_representations_read_no_records(audits, monkeypatch):
    monkeypatch.setattr(reader.Audit, "record_parts", lambda *_: pytest.fail("read the records"))
    assert repr(audits[0])
    assert audits[0]._repr_html_()
    assert audits[0].plot()


def test_an_unfinished_audit_is_shown_and_not_drawn(audits, tmp_path):
    (tmp_path / reader.MANIFEST).write_bytes((audits[0].folder / reader.MANIFEST).read_bytes())
    unfinished = open_audit(tmp_path, unfinished=True)
    assert repr(unfinished).splitlines()[1] == "unfinished: there is no summary yet"
    assert "unfinished" in unfinished._repr_html_()
    with pytest.raises(InputError, match="unfinished"):
        unfinished.plot()


def test_a_summary_without_numbers_is_shown_and_drawn(audits, tmp_path):
    document = json.loads((audits[0].folder / reader.SUMMARY).read_text(encoding="utf-8"))
    for entry in document["attributes"].values():
        for part in ("rates", "measures"):
            entry[part] = {}
    (tmp_path / reader.MANIFEST).write_bytes((audits[0].folder / reader.MANIFEST).read_bytes())
    (tmp_path / reader.SUMMARY).write_text(json.dumps(document), encoding="utf-8")
    audit = open_audit(tmp_path, unfinished=True)
    assert repr(audit).splitlines()[2].split()[-5:] == ["–", "0", "–", "–", "–"]
    for measure in ("error", "gain", "bias_share"):
        assert len(audit.plot(measure).axes) == 1


def test_an_audit_draws_the_report_s_figures(audits):
    (axes,) = audits[0].plot("gain").axes
    assert axes.get_xlabel() == "gain"
    assert labels(axes)[0].startswith("Wearing_Hat  ")
    (axes,) = audits[0].plot(attributes=["Bald"]).axes
    assert len(labels(axes)) == 1
    with pytest.raises(InputError, match="'gian'; did you mean 'gain'"):
        audits[0].plot("gian")
    with pytest.raises(InputError, match="'Blad'; did you mean 'Bald'"):
        audits[0].plot(attributes=["Blad"])


def test_a_contrast_is_its_document(contrast, out):
    assert type(contrast) is Contrast
    document = json.loads((out / FILE).read_text(encoding="utf-8"))
    assert json.loads(json.dumps(contrast)) == document
    assert repr(Contrast(document)) == repr(contrast)


def test_a_contrast_shows_the_difference_with_its_interval(contrast):
    title, _, first, *_ = repr(contrast).splitlines()
    assert title.startswith(f"Contrast of a and b: {contrast['images']} images of ")
    entry = contrast["attributes"]["Wearing_Hat"]["error_differences"]["minority_error"]["unbalanced - balanced"]
    assert "points [" in first
    assert f"{abs(100 * entry['difference']['value']):.0f}\u202fpoints" in first
    html = contrast._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_a_contrast_draws_a_panel_for_each_model(contrast):
    assert [axes.get_title("left") for axes in contrast.plot().axes] == ["a", "a, adjusted threshold", "b"]
    assert len(contrast.plot("gain").axes) == 2
    assert len(contrast.plot("bias_share", attributes=["Bald"]).axes) == 2
    with pytest.raises(InputError, match="no attribute"):
        contrast.plot(attributes=[])
