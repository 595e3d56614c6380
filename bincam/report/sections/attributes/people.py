"""Person-level error rates beside image-level ones, and error rates with a stated share of wrong labels."""

from __future__ import annotations

from collections.abc import Sequence

from bincam.audit.summary.label_noise import NOISE_RATES
from bincam.report.reading.audited_model import Arm
from bincam.report.sections.contrast_tables import estimate_cell
from bincam.report.view.parts import Cell, Table
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import percent

_RATES = (("error", "error"), ("minority_error", "minority error"), ("majority_error", "majority error"))
_PEOPLE_CAPTION = (
    "Image-level rates count every image once, so people with many images weigh most; person-level rates are the mean "
    "over people of the share of their own images that is misclassified. The last two are shares of people; the first "
    "of them grows with the number of images that a person has."
)
_NOISE_CAPTION = (
    "Error rates as they would be against correct labels, if the stated shares of the labels are wrong and wrong "
    "labels are independent of the model's decision. The bounds hold for these images without that assumption: the "
    "wrong labels may stand where they hide most errors, or where they cause most."
)


def people_table(attribute: str, arms: Sequence[Arm]) -> Table | None:
    """Make the table of person-level rates, a row per arm and rate; None where no person has several images."""
    rows = []
    for arm in arms:
        error = arm.rate(attribute, "person_error")
        if not error.defined or error.identities is None or error.images <= error.identities:
            continue
        named = [Cell(arm.name, None)] if len(arms) > 1 else []
        for key, label in _RATES:
            of_people = Estimate.from_json(arm.entry(attribute)["rates"].get(f"person_{arm.rate_name(attribute, key)}"))
            cells = [estimate_cell(rate, "percent") for rate in (arm.rate(attribute, key), of_people)]
            rows.append([Cell(label, None), *named, *cells])
        for key, label in (("ever_wrong", "people with an error"), ("always_wrong", "people with errors only")):
            rate = estimate_cell(arm.rate(attribute, key), "percent")
            rows.append([Cell(label, None), *named, estimate_cell(Estimate.from_json(None), "percent"), rate])
    if not rows:
        return None
    heads = ["Rate", *(["Model"] if len(arms) > 1 else []), "Per image", "Per person"]
    return Table("By person", _PEOPLE_CAPTION, heads, rows)


def noise_table(attribute: str, arms: Sequence[Arm]) -> Table | None:
    """Make the table of noise-corrected rates, two rows per arm; None where no share of wrong labels was stated."""
    rows = []
    for arm in arms:
        stated = arm.entry(attribute).get("label_noise")
        if not stated:
            continue
        named = [Cell(arm.name, None)] if len(arms) > 1 else []
        for key, corrected, label in zip(("fnr", "fpr"), NOISE_RATES, ("missed", "false alarms"), strict=True):
            low, high = (percent(end) if end is not None else "not defined" for end in stated[f"{key}_bounds"])
            share = stated["positives" if key == "fnr" else "negatives"]
            rates = [
                estimate_cell(Estimate.from_json(arm.entry(attribute)["rates"].get(k)), "percent")
                for k in (key, corrected)
            ]
            rows.append([Cell(label, None), *named, Cell(percent(share), None), *rates, Cell(f"{low} to {high}", None)])
    if not rows:
        return None
    reasons = {
        entry["reason"] for arm in arms if (entry := arm.entry(attribute).get("label_noise")) and entry["reason"]
    }
    heads = ["Rate", *(["Model"] if len(arms) > 1 else []), "Wrong labels", "Against labels", "Corrected", "Bounds"]
    return Table(
        "With wrong labels", " ".join([_NOISE_CAPTION, *(f"{reason}." for reason in sorted(reasons))]), heads, rows
    )
