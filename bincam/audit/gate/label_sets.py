"""Measures of label sets in rules: what the study of sets of an audit found, by the rule that makes the sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bincam.errors import InputError, nearest
from bincam.one_of import set_of
from bincam.postprocessing.label_sets import OF_ANSWERS, OF_ATTRIBUTES

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

LABEL_SET_MEASURES: Mapping[str, str] = {
    "coverage": "coverage",
    "minority_coverage": "minority_coverage",
    "majority_coverage": "majority_coverage",
    "worst_class_coverage": "worst_class",
    "worst_slice_coverage": "worst_slice",
    "set_size": "size",
    "cannot_say": "several",
    "set_recall": "recall",
}
"""Measures of label sets, and their keys in the study's summary."""

RECALL = "set_recall"
"""The measure of sets of all attributes at once; the others are of answers that exclude one another."""

PRIMARY = "primary"
"""Stands for the study's primary rule, where a gate's rule names none."""

STUDY = "label_sets"
"""Key of a summary under which the gate finds the study's summary, or the reason why there is none."""

ADVICE = "'bincam sets AUDIT --calibrate half' makes one"


def check_label_sets(attribute: str | None, measure: str, made_by: str, audit: Audit, where: str) -> None:
    """Refuse a rule on label sets of something that has none, or by something that makes none.

    Args:
        attribute: The attribute, set or output of the rule; None for all.
        measure: Of ``LABEL_SET_MEASURES``.
        made_by: The rule that makes the sets, or ``PRIMARY``.
        audit: The audit.
        where: Start of the message.

    Raises:
        InputError: It is the mean over attributes, an output with a measure that sets alone have, or the rule is of no
            known method.
    """
    methods = OF_ATTRIBUTES if measure == RECALL else OF_ANSWERS
    if made_by != PRIMARY and made_by.partition("=")[0] not in methods:
        raise InputError(f"{where}: {measure} is of sets by {', '.join(methods)}, got {made_by!r}")
    if attribute == "overall":
        raise InputError(f"{where}: {measure} has no mean over attributes; write it for single ones")
    one_of = getattr(audit, "one_of", {})
    owner = None if attribute is None else set_of(attribute, one_of)
    if measure == RECALL and (attribute in one_of or owner is not None):
        raise InputError(
            f"{where}: set_recall is of yes-or-no attributes; of a set write {owner or attribute}.worst_class_coverage"
        )
    if measure == RECALL and not audit.manifest.yes_or_no:
        sets = ", ".join(f"{name}.worst_class_coverage" for name in one_of)
        raise InputError(f"{where}: set_recall is of yes-or-no attributes, and none was audited; of a set write {sets}")
    if owner is not None and measure != "coverage":
        raise InputError(
            f"{where}: {attribute!r} is an output of set {owner!r} and has no {measure}; it has coverage, the others "
            f"are written for the set, {owner}.{measure}"
        )


def label_set_names(summary: Mapping[str, Any], measure: str) -> list[str]:
    """List what a rule on label sets without a name is applied to; ``all`` where there is no study.

    >>> label_set_names({"label_sets": {"summary": {"subjects": {"Bald": {}, "race": {}}}}}, "coverage")
    ['Bald', 'race']
    """
    content = (summary.get(STUDY) or {}).get("summary")
    if content is None:
        return ["all"]
    if measure == RECALL:
        return list((content.get("attributes") or {}).get("answers", ())) or ["all"]
    return list(content["subjects"]) or ["all"]


def label_set_figure(summary: Mapping[str, Any], measure: str, rule: str, name: str) -> Mapping[str, Any]:
    """Find the estimate of a measure of label sets; undefined, with the reason, where the study does not have it.

    Args:
        summary: The audit's summary, with the study's under ``STUDY``.
        measure: Of ``LABEL_SET_MEASURES``.
        rule: The rule that makes the sets, such as ``class_conditional`` or ``average_k=1.5``, or ``PRIMARY``.
        name: The attribute, set or output.

    >>> label_set_figure({}, "coverage", "lac", "Bald")["reason"]
    "the audit has no study of sets; 'bincam sets AUDIT --calibrate half' makes one"
    """
    study = summary.get(STUDY) or {}
    content = study.get("summary")
    if content is None:
        return _without(study.get("reason") or f"the audit has no study of sets; {ADVICE}")
    if measure == RECALL:
        rules: Mapping[str, Any] = (content.get("attributes") or {}).get("rules", {})
        asked = next(iter(rules), "per_attribute") if rule == PRIMARY else rule
        subject = "attributes"
    else:
        of_set = {output: one for one, entry in content["subjects"].items() for output in entry["answers"]
                  if entry["kind"] == "one_of"}  # fmt: skip
        subject = name if name in content["subjects"] else of_set.get(name, name)
        rules = (content["subjects"].get(subject) or {}).get("rules", {})
        asked = (content["primary"] or "lac") if rule == PRIMARY else rule
    if asked not in rules:
        why = next((one["reason"] for one in content["left_out"] if (one["subject"], one["rule"]) == (subject, asked)),
                   "")  # fmt: skip
        return _without(
            f"the study has no {asked} of {name}"
            + (f": {why}" if why else nearest(asked, rules) if rules else "; make it again with that --method")
        )
    figures = rules[asked]
    if subject != name and measure != RECALL:
        return _figure(figures["per_class"].get(name))
    found = figures.get(LABEL_SET_MEASURES[measure])
    if measure == RECALL:
        return _figure((found or {}).get(name))
    if measure == "worst_slice_coverage":
        if found is None:
            return _without("fewer than two slices have enough images; the audit's groups are its slices")
        return _figure(found["coverage"])
    return _figure(found)


def _figure(found: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return found if found is not None else _without("the study does not state it; make it again")


def _without(reason: str) -> Mapping[str, Any]:
    return {"value": None, "low": None, "high": None, "images": 0, "reason": reason, "too_few": True}
