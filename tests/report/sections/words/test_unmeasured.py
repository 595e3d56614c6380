from bincam.audit.folder import reader
from bincam.files import write_json
from bincam.report.html.page import build, open_source, render
from bincam.report.sections.words.unmeasured import unmeasured
from tests.audit.synthetic import reseal


def test_everything_that_could_not_be_measured_is_counted_and_named(audit_folder):
    first, second = open_source(audit_folder).arms[0].audit.attributes[:2]
    (listing,) = unmeasured(open_source(audit_folder).arms)
    assert list(listing.entries) == [
        "1 image could not be read and is excluded: 000150.png: empty file (0 bytes)",
        f"Images whose logit is NaN or infinite are excluded: {first} 1 image.",
        f"The object's mask is outside the crop, so nothing is measured against it: {second} 3 of 20 images.",
        "No region, so no energy: Chubby.",
    ]


def test_models_that_say_the_same_share_a_list(contrast_folder):
    (listing,) = unmeasured(open_source(contrast_folder).arms)
    assert listing.name == "a and b"


def test_a_clean_audit_says_so_and_one_that_kept_no_list_is_silent(bare, tmp_path):
    folder = bare
    clean = {"skipped": 0, "nan_logits": {}, "outside_the_crop": {}, "with_a_mask": {}, "notes": []}
    write_json(folder / reader.UNMEASURED, {"kind": reader.UNMEASURED_KIND, "schema": 1, **clean})
    reseal(folder)
    assert "Everything was measured: every image" in render(build(open_source(folder), tmp_path / "a.html"))
    for file in (reader.UNMEASURED, reader.SAMPLE, reader.LEAKAGE):
        (folder / file).unlink()
    reseal(folder)
    html = render(build(open_source(folder), tmp_path / "b.html"))
    for section in ("unmeasured", "sample", "overlap"):
        assert f'id="{section}"' not in html
