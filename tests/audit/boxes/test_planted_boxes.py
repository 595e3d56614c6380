"""Boxes of whole audits: a planted fault is found and its twin is not; bytes, bad input, gate, comparison, export."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from bincam.audit import summarise
from bincam.audit.folder import writer
from bincam.audit.folder.parts.box_reference import load_box_reference
from bincam.audit.folder.parts.boxes import KIND, NOT_SAMPLED, STATUS, boxes_file, read_boxes
from bincam.audit.gate.judgements import judge
from bincam.audit.gate.rules import parse_rule
from bincam.audit.marked_objects import coco_of
from bincam.audit.pipeline.runner import run
from bincam.audit.settings import Settings
from bincam.compare import compare
from bincam.data import write_box_table
from bincam.errors import InputError
from bincam.report import write_report
from tests.audit.boxes.conftest import BOX
from tests.audit.conftest import NOTES_ALLOWED, digests
from tests.audit.planted import reader, regions, write_pictures

pytestmark = NOTES_ALLOWED


def object_of(audit):
    return audit.summary["boxes"]["attributes"]["Object"]


def test_evidence_on_the_object_is_told_from_evidence_elsewhere(on_object, elsewhere):
    for audit, accuracy, over in ((on_object, 1.0, 0.0), (elsewhere, 0.0, -1.0)):
        entry = object_of(audit)
        assert entry["known"]["fixed"]["value"] == entry["top_1"]["fixed"]["value"] == accuracy
        assert entry["over_constant"]["value"] == over
        assert entry["constant"]["value"] == entry["reach"]["value"] == 1.0
        assert entry["centred"]["value"] == 0.0  # the object is in a corner
        assert entry["judgement"] == "judged"
        assert entry["known"]["fixed"]["images"] == entry["measured"] == entry["positives"]
        assert entry["pxap"]["value"] is None
        assert entry["pxap"]["method"] == "no masks, only boxes"
    # Both are right as often: what differs is where they look.
    assert on_object.summary["attributes"]["Object"]["rates"]["error"]["value"] == 0
    assert elsewhere.summary["attributes"]["Object"]["rates"]["error"]["value"] == 0


def test_records_are_of_the_images_that_have_the_attribute(on_object):
    rows = read_boxes(on_object.folder, on_object.shards)
    labels = on_object.records(["row", "attribute", "label"])
    positive = labels[(labels["attribute"] == "Object") & (labels["label"] == 1)]
    assert rows.row.tolist() == positive["row"].tolist()
    assert set(rows.attribute) == {"Object"}
    assert (rows.boxes["true_box"] == BOX).all()
    assert (rows.boxes["box"][:, :2] >= 0).all()
    x0, y0, x1, y1 = rows.boxes["box"].T
    inside = np.clip(np.minimum(x1, 12) - np.maximum(x0, 4), 0, None) * np.clip(
        np.minimum(y1, 12) - np.maximum(y0, 4), 0, None
    )
    iou = inside / ((x1 - x0) * (y1 - y0) + 64 - inside)
    np.testing.assert_allclose(rows.numbers["cam"], iou, rtol=1e-6)
    assert summarise(on_object)["boxes"] == on_object.summary["boxes"]


def test_an_audit_without_boxes_has_the_bytes_it_always_had(boxed, chosen, on_object, tmp_path):
    plain = run(reader(0), boxed, tmp_path / "plain", chosen.replace(boxes=False))
    before, now = digests(plain.folder), digests(on_object.folder)
    assert "boxes" not in json.loads((plain.folder / "manifest.json").read_text())
    assert "boxes" not in plain.summary
    own = {name for name in now if name.startswith("boxes/") or name == "references/boxes.json"}
    differing = {name for name in before if now[name] != before[name]}
    assert set(now) - set(before) == own
    assert differing <= {"digests.json", "manifest.json", "summary.json", "unmeasured.json"}


@pytest.mark.parametrize("workers", [0, 2])
def test_resumed_and_with_workers_the_bytes_are_the_same(boxed, chosen, on_object, tmp_path, monkeypatch, workers):
    out, written = tmp_path / "audit", []
    write = writer.AuditWriter.write_shard

    def interrupted(self, number, shard):
        if number == 2:
            raise KeyboardInterrupt
        written.append(number)
        write(self, number, shard)

    with monkeypatch.context() as stopped:
        stopped.setattr(writer.AuditWriter, "write_shard", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(reader(0), boxed, out, chosen)
    assert written == [0, 1]
    run(reader(0), boxed, out, chosen.replace(workers=workers), resume=True)
    assert digests(out) == digests(on_object.folder)


def test_a_sample_is_a_draw_and_is_told(boxed, chosen, on_object, tmp_path):
    few = run(reader(0), boxed, tmp_path / "few", chosen.replace(boxes_sample=5))
    rows, every = (read_boxes(audit.folder, audit.shards) for audit in (few, on_object))
    measured = rows.status != NOT_SAMPLED
    assert measured.sum() == 5
    assert {STATUS[code] for code in rows.status} == {"measured", "not sampled"}
    assert np.isnan(rows.numbers["cam"][~measured]).all()
    np.testing.assert_array_equal(rows.numbers["cam"][measured], every.numbers["cam"][measured])
    entry = object_of(few)
    assert (entry["measured"], entry["not_sampled"]) == (5, entry["positives"] - 5)
    with pytest.raises(InputError, match="begun with different boxes"):
        run(reader(0), boxed, few.folder, chosen, resume=True)


def test_the_reference_split_gives_threshold_and_constant_box(on_object):
    reference = load_box_reference(on_object.folder)
    np.testing.assert_allclose(reference.fitted.constant[0] * 32, BOX)
    assert reference.split == "validation"
    assert 0 <= reference.level < 1
    assert on_object.summary["boxes"]["reference"]["level"] == reference.level
    assert on_object.manifest.boxes.reference == reference.digest


def test_without_a_reference_split_the_constant_box_is_undefined(boxed, chosen, tmp_path):
    audit = run(reader(0), boxed, tmp_path / "audit", chosen.replace(reference_split=None))
    entry = object_of(audit)
    assert audit.summary["boxes"]["reference"] is None
    assert entry["constant"]["value"] is entry["over_constant"]["value"] is entry["known"]["chosen"]["value"] is None
    assert entry["known"]["fixed"]["value"] == 1.0


def masked(root, draw):
    """Pictures with masks of the object as they are drawn by row, and no file of boxes."""
    from PIL import Image

    table = write_pictures(root, 12)
    folder = root / "masks" / "parts"
    folder.mkdir(parents=True)
    parts = {"0": {"name": "ground", "attributes": []}, "1": {"name": "object", "attributes": ["Object"]}}
    (folder / "parts.json").write_text(json.dumps({"kind": "bincam-parts", "schema": 1, "parts": parts}))
    for row, name in enumerate(table.ids):
        mask = draw(row)
        if mask is not None:
            Image.fromarray(mask.astype(np.uint8)).save(folder / name)
    return table


def kinds_of_mask(row):
    """In turn: the object, nothing, no file, everything, and a pixel, which is smaller than a cell."""
    mask = np.zeros((32, 32), bool)
    if row % 5 == 0:
        mask[4:12, 4:12] = True
    elif row % 5 == 2:
        return None
    elif row % 5 == 3:
        mask[:] = True
    elif row % 5 == 4:
        mask[7, 7] = True
    return mask


def test_masks_of_every_kind_are_measured_or_counted(tmp_path):
    table = masked(tmp_path / "pictures", kinds_of_mask)
    settings = Settings(split=None, batch_size=4, gate_images=0, boxes=True)
    audit = run(reader(0), table, tmp_path / "audit", settings)
    rows = read_boxes(audit.folder, audit.shards)
    kind = rows.row % 5
    status = np.array([STATUS[code] for code in rows.status])
    assert set(status[np.isin(kind, [1, 2])]) <= {"no true box"}
    assert set(status[np.isin(kind, [0, 3, 4])]) == {"measured"}
    assert (rows.numbers["reach"][kind == 3] == 1).all()
    assert (rows.boxes["true_box"][kind == 4] == [7, 7, 8, 8]).all()
    assert (rows.numbers["reach"][kind == 4] < 0.5).all()  # no map of 4 x 4 pixels a cell boxes a pixel
    assert (rows.pixels[kind == 0].sum((1, 2)) == 32 * 32).all()
    assert (rows.pixels[kind == 0][:, 0].sum(1) == 64).all()
    entry = object_of(audit)
    assert entry["no_truth"] == int(np.isin(kind, [1, 2]).sum())
    assert entry["pxap"]["images"] == entry["measured"]
    assert entry["pointing"]["images"] == 0  # the object fills four cells alike, so no cell is the strongest
    assert entry["pointing_chance"]["images"] == entry["measured"]


def test_an_object_below_a_cell_cannot_be_judged(tmp_path):
    def pixel(_):
        mask = np.zeros((32, 32), bool)
        mask[7, 7] = True
        return mask

    table = masked(tmp_path / "pictures", pixel)
    audit = run(reader(0), table, tmp_path / "audit", Settings(split=None, batch_size=4, gate_images=0, boxes=True))
    boxes = audit.summary["boxes"]
    assert boxes["attributes"]["Object"]["judgement"] == "cannot be judged on this grid"
    assert boxes["not_judged"] == ["Object"]
    assert boxes["overall"]["known"]["fixed"]["value"] is None
    judged = judge(
        audit.summary,
        [parse_rule("box_accuracy>=0.5", audit), parse_rule("box_reach>=0.5", audit)],
        allow_untested=True,
    )
    assert (judged[0].verdict, judged[0].reason) == ("insufficient", "cannot be judged on this grid")
    assert judged[1].estimate.value < 0.5


def test_maps_without_evidence_have_no_box_and_miss(boxed, chosen, tmp_path):
    audit = run(reader(None), boxed, tmp_path / "blind", chosen)  # constant maps
    entry = object_of(audit)
    assert entry["no_box"] == entry["measured"] > 0
    assert entry["known"]["fixed"]["value"] == 0
    rows = read_boxes(audit.folder, audit.shards)
    assert {STATUS[code] for code in rows.status} == {"no box"}
    assert np.isnan(rows.boxes["box"]).all()


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ((4, 4, 4, 9), "has no area"),
        ((9, 4, 4, 9), "has no area"),
        ((4, 4, 12, 99), "is not inside its image of 32 x 32"),
    ],
)
def test_wrong_boxes_are_refused(tmp_path, chosen, ends, message):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = write_pictures(tmp_path / "pictures", 12)
    count = len(table.ids)
    columns = {"path": list(table.ids), "name": ["Object"] * count}
    columns |= {end: [float(value)] * count for end, value in zip(("x0", "y0", "x1", "y1"), ends, strict=True)}
    stored = pa.table(columns).replace_schema_metadata({"kind": "bincam-boxes", "schema": "1"})
    pq.write_table(stored, tmp_path / "pictures" / "boxes.parquet")
    with pytest.raises(InputError, match=message):
        run(reader(0), table, tmp_path / "audit", chosen)


def test_what_cannot_be_measured_is_refused_before_the_pass(pictures, boxed, chosen, tmp_path):
    with pytest.raises(InputError, match=r"no true boxes to compare with: .* has neither boxes\.parquet nor masks"):
        run(reader(0), pictures, tmp_path / "none", chosen)
    with pytest.raises(InputError, match=r"grad_cam_pp's are not those for no .*--side positive"):
        run(reader(0), boxed, tmp_path / "side", chosen.replace(methods=("grad_cam_pp",)))
    other = write_pictures(tmp_path / "other", 12)
    write_box_table(tmp_path / "other" / "boxes.parquet", [("elsewhere.png", "Object", *BOX)])
    with pytest.raises(InputError, match="no box is of an image of the table"):
        run(reader(0), other, tmp_path / "paths", chosen)
    (tmp_path / "other" / "boxes.parquet").unlink()
    (tmp_path / "other" / "boxes.parquet").mkdir()
    with pytest.raises(InputError, match=r"boxes\.parquet is a folder, expected a file of boxes"):
        run(reader(0), other, tmp_path / "folder", chosen)
    assert not (tmp_path / "none").exists()
    with pytest.raises(InputError, match="boxes_sample=-1 is negative"):
        Settings(boxes_sample=-1)


def test_a_missing_file_of_boxes_is_told(on_object, tmp_path):
    with pytest.raises(InputError, match="no such file; the audit is incomplete"):
        read_boxes(tmp_path, 1)
    assert boxes_file(on_object.folder, 0).is_file()


@pytest.mark.parametrize("stated", [None, {"kind": KIND, "schema": "99"}, {"kind": "bincam-boxes", "schema": "1"}])
def test_a_file_of_boxes_of_another_kind_or_schema_is_refused(on_object, tmp_path, stated):
    file = boxes_file(tmp_path, 0)
    file.parent.mkdir()
    pq.write_table(pq.read_table(boxes_file(on_object.folder, 0)).replace_schema_metadata(stated), file)
    with pytest.raises(
        InputError, match=r"got kind .* and schema .*, expected 'bincam-audited-boxes' and '1'; make the"
    ):
        read_boxes(tmp_path, 1)


def test_the_gate_judges_boxes(on_object, elsewhere, pictures, settings, tmp_path):
    rules = [parse_rule(text, on_object) for text in ("Object.box_accuracy>=0.5", "overall.box_over_constant>=-0.5")]
    for audit, first in ((on_object, "insufficient"), (elsewhere, "insufficient")):
        judged = judge(audit.summary, rules, allow_untested=True)
        assert judged[0].verdict == first  # 18 images are too few, whatever they say
        assert judged[0].estimate.images == object_of(audit)["measured"]
    assert [j.estimate.value for j in judge(on_object.summary, rules)] == [1.0, 0.0]
    assert [j.estimate.value for j in judge(elsewhere.summary, rules)] == [0.0, -1.0]
    with pytest.raises(InputError, match="no boxes of 'Other' were measured"):
        parse_rule("Other.box_accuracy>=0.5", on_object)
    plain = run(reader(0), pictures, tmp_path / "plain", settings.replace(regions=regions()))
    with pytest.raises(InputError, match="has measured none; make it with --boxes"):
        parse_rule("box_accuracy>=0.5", plain)


def test_two_audits_are_compared_in_pairs(on_object, elsewhere, tmp_path):
    contrast = compare(on_object, elsewhere, tmp_path / "contrast")
    for name in ("Object", "overall"):
        difference = contrast["boxes"]["attributes"][name]["fixed"]
        assert difference["value"] == 1.0
        assert difference["images"] == object_of(on_object)["measured"]
    assert any("Boxes of the objects" in text for text in contrast["findings"])
    page = write_report(tmp_path / "contrast", tmp_path / "contrast.html").read_text(encoding="utf-8")
    assert "Paired differences of boxes" in page
    assert page.count("Where an image shows the object") == 2
    same = compare(on_object, on_object, tmp_path / "same")
    assert same["boxes"]["attributes"]["Object"]["fixed"]["value"] == 0.0


def test_the_export_is_read_by_pycocotools(on_object):
    from pycocotools import mask as coco_mask

    from bincam.metrics import coco_results

    document = coco_of(on_object, ["Object"])
    rows = read_boxes(on_object.folder, on_object.shards)
    names = on_object.images["image"].to_numpy()[rows.row]
    by_id = {image["id"]: image["file_name"] for image in document["images"]}
    assert sorted(by_id[one["image_id"]] for one in document["annotations"]) == sorted(names)  # it is right in all
    boxes = dict(zip(names, rows.boxes["box"].tolist(), strict=True))
    for one in coco_results(document):
        x, y, w, h = one["bbox"]
        assert [x, y, x + w, y + h] == boxes[by_id[one["image_id"]]]
        mask = coco_mask.decode({**one["segmentation"], "counts": one["segmentation"]["counts"].encode()})
        assert mask.shape == (32, 32)
        assert 0.5 < one["score"] <= 1
    with pytest.raises(InputError, match="no maps of 'Objekt'; did you mean 'Object'"):
        coco_of(on_object, ["Objekt"])
    assert coco_of(on_object, ["Object"], pairs="present") == document  # what is present is what was decided
    assert coco_of(on_object, ["Other"], pairs="present")["annotations"] == []  # its maps mark nothing
