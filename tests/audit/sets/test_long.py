"""Sets of long audits: figures of a stated sample, which of a sample of all images are those of a shorter audit."""

import pytest

from bincam.audit.folder.parts import sampled
from bincam.audit.summary.label_noise import confident_errors
from bincam.audit.summary.summarize import summarise

pytestmark = pytest.mark.filterwarnings("ignore::bincam.errors.BincamWarning")


def test_sets_of_a_long_audit_are_those_of_its_sample(audits, monkeypatch):
    audit = audits["noisy"]
    images = audit.manifest.data.images
    every, errors = summarise(audit, resamples=50), confident_errors(audit)
    monkeypatch.setattr(sampled, "is_long", lambda _: True)
    monkeypatch.setattr("bincam.audit.summary.summarize.is_long", lambda _: True)
    long = summarise(audit, resamples=50)
    assert long["sets"] == every["sets"]
    assert long["streamed"]["sampled"] == {"parts": ["sets"], "images": images}
    assert long["notes"][1] == f"figures of sets of outputs are of a random sample of {images} of the {images} images"
    assert [family["name"] for family in long["families"]] == [family["name"] for family in every["families"]]
    assert list(long["attributes"]) == list(every["attributes"])
    monkeypatch.setattr(sampled, "MOST", images // 2)
    half = summarise(audit, resamples=50)
    assert half["streamed"]["sampled"]["images"] == half["sets"]["colour"]["images"] == images // 2
    assert half["images"] == images
    listed = confident_errors(audit)
    assert listed[listed["attribute"] == "Bright"].equals(errors[errors["attribute"] == "Bright"])
    assert set(listed["row"]) <= set(errors["row"])
