import copy
import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest

from bincam.audit.folder import reader
from bincam.errors import InputError
from bincam.report import write_report
from bincam.report.html.page import Source, build, open_source, render
from bincam.report.reading.audited_model import Arm
from bincam.report.sections.first_screen import findings
from bincam.report.sections.words import definitions
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import percent, stated
from tests.audit.synthetic import reseal
from tests.report.conftest import finished_audit


@pytest.fixture(scope="module")
def page(audit_folder, tmp_path_factory):
    return build(open_source(audit_folder), tmp_path_factory.mktemp("out") / "report.html")


@pytest.fixture(scope="module")
def html(page):
    return render(page)


def test_the_page_holds_everything_it_needs(html):
    for attribute in ("src", "href", "action", "data", "poster"):
        for target in re.findall(rf'\s{attribute}="([^"]*)"', html):
            assert target.startswith(("data:", "#")), target
    assert "@import" not in html
    assert "url(" not in re.sub(r"url\(#", "", html)  # clip paths of the figures refer to the page itself
    assert "default-src 'none'" in html


def test_no_id_occurs_twice(html):
    ids = re.findall(r'\sid="([^"]*)"', html)
    assert len(ids) > 50
    assert sorted(set(ids)) == sorted(ids)


def test_every_attribute_has_a_row_and_a_card_with_its_numbers(page, audit_folder):
    audit = reader.open_audit(audit_folder)
    assert [card.name for card in page.cards] == [row.name for row in page.rows]
    assert {card.name for card in page.cards} == set(audit.attributes)
    for row in page.rows:
        expected = audit.summary["attributes"][row.name]["rates"]["minority_error"]
        assert row.data["minority_error"] == pytest.approx(expected["value"], rel=1e-5)
        assert row.data["minority_error_images"] == expected["images"]
        assert (row.data["auroc"] is None) == (row.name == audit.attributes[-1])  # undefined in this summary
    shares = [row.data["share"] for row in page.rows]
    assert shares == sorted(shares)  # the most lopsided on top


def test_mean_maps_are_counted_by_outcome_on_one_scale(page, audit_folder):
    audit = reader.open_audit(audit_folder)
    sums, counts = audit.means()
    for card in page.cards:
        index = audit.attributes.index(card.name)
        order = [0, 2, 1, 3]  # TP, FN, FP, TN
        (row,) = card.maps
        assert [int(text.split()[0]) for text in row.counts] == counts[index][order].astype(int).tolist()
        assert [picture is None for picture in row.pictures] == (counts[index][order] == 0).tolist()
        with np.errstate(invalid="ignore"):
            means = sums[index] / counts[index][:, None, None]
        assert float(card.limit) == pytest.approx(np.nanmax(np.abs(means)), rel=0.06)


def test_examples_are_of_their_outcome_and_at_most_three(page, audit_folder):
    records = reader.open_audit(audit_folder).records(["row", "attribute", "outcome"])
    for card in page.cards:
        mine = records[records["attribute"] == card.name]
        for group in card.groups:
            rows = set(mine.loc[mine["outcome"] == group.outcome, "row"])
            shown = [int(example.caption.split(".")[0]) - 1 for example in group.examples]
            assert len(shown) == min(3, len(rows)) or len(rows) < 10
            assert set(shown) <= rows
            assert all(example.photograph and example.maps[0] for example in group.examples)
            assert all(example.verdicts[0].startswith(group.outcome) for example in group.examples)


def test_masks_that_were_not_there_have_no_columns(page):
    keys = {column.key for column in page.columns}
    assert {"energy_minority", "lift_majority"} <= keys
    assert not any("object" in key or "influence" in key for key in (*keys, *page.rows[0].data))
    assert "Object and influence gain and energy" not in [definition.term for definition in page.definitions]


@pytest.mark.slow
def test_the_explained_side_is_named_and_answers_are_told_from_logits(tmp_path):
    manifest = {"side": "positive"}
    few = {"images": 60, "attributes": ("A", "B", "C"), "prevalence": (0.4, 0.7, 0.5)}
    folder = finished_audit(tmp_path / "audit", masks=("object",), manifest=manifest, **few)
    file = reader.records_file(folder, 0)
    table = pq.read_table(file)
    at = table.schema.get_field_index("side")
    ones = np.ones(table.num_rows, np.int8)  # every image is explained for "yes", whatever was answered
    pq.write_table(table.set_column(at, table.schema.field(at), [ones]), file)
    audit = reseal(folder)
    page = build(open_source(folder), tmp_path / "report.html")
    html = render(page)
    assert "red for the predicted class" not in html
    assert "red for the positive class" in html
    records = audit.records(["attribute", "logit", "midpoint.bias_share"])
    for card in page.cards:
        mine = records[(records["attribute"] == card.name) & records["logit"].notna()]
        yes = mine["logit"] >= 0
        minority = mine["midpoint.bias_share"][yes == (audit.minority(card.name) > 0)]
        assert f"median {percent(minority.median())} (minority predicted)" in card.charts[0].lines[0]
        gain = audit.summary["attributes"][card.name]["measures"]["grad_cam.object_gain"]["all"]
        assert any(f"the gain is {stated(Estimate.from_json(gain))}" in line for line in card.sentences)


def test_gains_without_an_interval_are_not_above_chance(audit_folder):
    arm = open_source(audit_folder).arms[0]
    summary = copy.deepcopy(arm.summary)
    gains = [entry["measures"]["grad_cam.gain"]["predicted:majority"] for entry in summary["attributes"].values()]
    for gain, (low, high) in zip(gains, [(-0.1, 0.3), (0, 0.2), (None, None), *[(0.1, 0.2)] * 3], strict=True):
        gain |= {"value": 0.1, "low": low, "high": high, "status": "ok"}
    for entry in summary["attributes"].values():
        entry["measures"]["grad_cam.gain"]["predicted:minority"] |= {"value": 0.1, "status": "ok"}
        entry["measures"]["grad_cam.gain"] |= {
            f"predicted:{sign}": entry["measures"]["grad_cam.gain"][f"predicted:{part}"]
            for sign, part in zip(
                ("positive", "negative"),
                ("minority", "majority") if entry["minority"] == "positive" else ("majority", "minority"),
                strict=True,
            )
        }
    finding = findings.findings([Arm(arm.name, arm.audit, summary)], arm.audit.attributes)[1]
    assert "not significantly above chance for 2 of 5 attributes; 1 attribute has no interval." in finding


def test_equal_audits_give_equal_bytes(html, written):
    assert written["audit"].read_text(encoding="utf-8") == html


def test_without_the_images_the_report_says_so(bare, tmp_path):
    page = build(open_source(bare), tmp_path / "report.html")
    assert any("Photographs are not shown" in note and "no-pictures" in note for note in page.notes)
    examples = [example for card in page.cards for group in card.groups for example in group.examples]
    assert examples
    assert all(example.photograph is None and example.maps[0] is not None for example in examples)
    assert "Photographs are not shown" in render(page)


@pytest.mark.slow
def test_names_cannot_break_the_page(tmp_path):
    names = ("</script><b>bold</b>", 'a "quote" & $x^2$', "../../naïve", "..-..-na-ve")
    source = finished_audit(tmp_path / "audit", images=60, attributes=names, prevalence=(0.5, 0.2, 0.1, 0.1))
    html = render(build(open_source(source), tmp_path / "report.html", assets=tmp_path / "in" / "side"))
    assert {file.name for file in (tmp_path / "in").iterdir()} == {"side"}  # no name leads out of the folder
    assert len(list((tmp_path / "in" / "side").iterdir())) == 4
    assert "<b>bold" not in html
    assert html.count("</script>") == 2
    data = html.split('id="data">')[1].split("</script>")[0]
    assert {row["attribute"] for row in json.loads(data)} == set(names)
    anchors = re.findall(r'<details class="card" id="([^"]*)"', html)
    assert len(set(anchors)) == 4
    for anchor in anchors:
        assert f'href="#{anchor}"' in html


@pytest.fixture(scope="module")
def with_assets(audit_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("assets")
    return write_report(audit_folder, folder / "pages" / "report.html", assets=folder / "pictures")


def test_assets_keep_full_size_and_are_linked(with_assets):
    from PIL import Image

    out = with_assets
    links = re.findall(r'href="(\.\./pictures/[^"]*)"', out.read_text(encoding="utf-8"))
    assert len(links) > 50
    for link in links:
        with Image.open(out.parent / link) as image:
            assert max(image.size) == 56  # as the model sees it


def test_hidden_faces_are_gone_everywhere(audit_folder, with_assets, tmp_path):
    from PIL import Image

    out = write_report(audit_folder, tmp_path / "hidden.html", assets=tmp_path / "pictures", hide_faces=True)
    shown = with_assets.parent.parent / "pictures"
    files = [file for file in shown.rglob("*.png") if not file.name.startswith("mean-")]
    assert len(files) > 50
    for file in files:
        fine = []
        for path in (file, tmp_path / "pictures" / file.relative_to(shown)):
            with Image.open(path) as image:
                fine.append(np.abs(np.diff(np.asarray(image, dtype=float), n=2, axis=0)).mean())
        assert fine[1] < fine[0]
    assert "Faces are hidden" in out.read_text(encoding="utf-8")
    assert "Faces are hidden" not in with_assets.read_text(encoding="utf-8")


def test_a_method_that_fails_its_test_is_named(bare, tmp_path):
    arm = open_source(bare).arms[0]
    assert dict(definitions.provenance(arm).entries)["model-parameter randomisation test"] == "not run"
    gates = {"grad_cam": {"passed": False, "reason": "the maps stayed as they were"}}  # of an earlier version
    failed = Arm(arm.name, arm.audit, {**arm.summary, "gates": gates})
    page = build(Source((failed,)), tmp_path / "report.html")
    (reliance,) = page.conclusions.reliance
    assert reliance.title == "The maps fail the sanity test."
    assert "stayed as they were" in reliance.test
    assert page.conclusions.mark == "fails the sanity test"
    html = render(page)
    assert html.index("Do not rely on the maps") < html.index('id="reliance"') < html.index('class="tiles"')
    for heading in ("Mean maps by outcome", "Examples by outcome", "Attention overlap", "Gain, majority predicted"):
        assert re.search(heading + r' ?<a class="untrusted" href="#reliance">', html), heading
    assert dict(page.provenance[0].entries)["model-parameter randomisation test"] == "not passed by grad_cam"


def test_a_summary_without_attributes_is_refused(tmp_path):
    from tests.audit.synthetic import make_audit

    make_audit(tmp_path / "audit", images=20)
    with pytest.raises(InputError, match="summary contains no attributes"):
        write_report(tmp_path / "audit", tmp_path / "report.html")
    make_audit(tmp_path / "half", images=20, finished=False)
    with pytest.raises(InputError, match="unfinished audit"):
        write_report(tmp_path / "half", tmp_path / "report.html")
    with pytest.raises(InputError, match="no such folder"):
        write_report(tmp_path / "nothing", tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
