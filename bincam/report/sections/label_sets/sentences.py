"""The results of label sets in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bincam.report.sections.label_sets.studied import FAIR, StudiedSets
from bincam.report.sections.words import wording
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import counted, percent, significant, written


def finding(study: StudiedSets, *, named: bool) -> str:
    """Say for the first screen whom sets leave out, in one sentence; empty where too few images say anything."""
    rule = study.primary
    pairs = {}
    for name in study.subjects:
        both = [study.figure(name, rule, f"{part}_coverage") for part in ("minority", "majority")]
        if all(figure.status == "ok" for figure in both):
            pairs[name] = both
    of = study.arm.phrase if named else "the model"
    if not pairs:
        return _of_all_images(study, of)
    worst = max(pairs, key=lambda name: pairs[name][1].value - pairs[name][0].value)
    rare, common = pairs[worst]
    start = f"label sets of {of} by {called(rule)} hold the true answer for "
    if len(pairs) > 1:
        rates = [sum(pair[place].value for pair in pairs.values()) / len(pairs) for place in (1, 0)]
        start += (
            f"{percent(rates[0])} of the majority and {percent(rates[1])} of the minority, on average over "
            f"{_subjects(study, pairs)}; largest difference: {worst}, "
        )
    text = (
        f"{start}{wording.headline(common, 'percent')} of the majority and {wording.headline(rare, 'percent')} of the "
        f"minority{'' if len(pairs) > 1 else f' of {worst}'}"
    )
    fair = [study.figure(worst, FAIR, name) for name in ("minority_coverage", "several")]
    if rule != FAIR and all(figure.defined for figure in fair):
        text += (
            f"; calibrated for each class, {written(fair[0], 'percent')} of its minority, with more than one answer "
            f"for {written(fair[1], 'percent')} of the images"
        )
    return f"{text[0].upper()}{text[1:]}."


def _of_all_images(study: StudiedSets, of: str) -> str:
    """Say how many true answers sets hold, of the question with the fewest, where minorities have too few images."""
    rule = study.primary
    covered = {name: study.figure(name, rule, "coverage") for name in study.subjects}
    told = [name for name, figure in covered.items() if figure.status == "ok"]
    if not told:
        return ""
    worst = min(told, key=lambda name: covered[name].value)
    least = " or more" if len(told) > 1 else ""
    return (
        f"Label sets of {of} by {called(rule)} hold the true answer for {wording.headline(covered[worst], 'percent')} "
        f"of the images{least} ({worst}); of the minority there are too few images to say."
    )


def _subjects(study: StudiedSets, names: Collection[str]) -> str:
    """Count attributes and sets, such as ``3 attributes and 1 set``."""
    sets = sum(study.subjects[name]["kind"] == "one_of" for name in names)
    kinds = ((len(names) - sets, "attribute"), (sets, "set"))
    return " and ".join(counted(count, what) for count, what in kinds if count)


def lead(study: StudiedSets, *, named: bool) -> list[str]:
    """Say what was calibrated on what, and how to read it."""
    summary = study.summary
    calibration, judged = summary["calibration"], summary["judged"]
    start = f"{study.arm.label}: " if named else ""
    return [
        f"{start}A label set holds every answer that the scores leave open. Thresholds were fitted on "
        f"{_counts(calibration)} ({calibration['source']}) and are judged on {_counts(judged)}. Conformal rules may "
        f"miss {percent(study.alpha)} of the true answers; average-K has a stated mean size and tells the coverage."
    ]


def about(study: StudiedSets, name: str) -> list[str]:
    """Say of one subject what its sets hold, what that costs, and what calibrating each class gives."""
    rule, result = study.primary, []
    head = study.subjects[name]["kind"] == "yes_or_no"
    for one in study.shown(name):
        coverage, size, several = (study.figure(name, one, key) for key in ("coverage", "size", "several"))
        rare, common = (study.figure(name, one, f"{part}_coverage") for part in ("minority", "majority"))
        open_ = "the model cannot say for" if head else "more than one label for"
        result.append(
            f"By {called(one)} the true answer is in the set of {wording.headline(coverage, 'percent')}, at "
            f"{written(size)} answers per image: {written(common, 'percent')} of the majority and "
            f"{written(rare, 'percent')} of the minority; {open_} {written(several, 'percent')} of the images."
        )
        if head and (costs := _costs(study, name, one)):
            result.append(costs)
    worst = (study.subjects[name]["rules"].get(rule) or {}).get("worst_slice")
    if worst:
        figure = Estimate.from_json(worst["coverage"])
        result.append(
            f"Worst slice by {called(rule)}: {worst['column'].removeprefix('group.')} {worst['value']}, "
            f"{wording.headline(figure, 'percent')}; it was chosen on the same images, so it looks lower than it is."
        )
    kept = (study.subjects[name]["rules"].get(FAIR) or {}).get("fitted", {}).get("always_kept") or []
    if kept:
        result.append(
            f"Too few images to calibrate {', '.join(kept[:6])}{' and others' if len(kept) > 6 else ''}: kept in every "
            "class-conditional set."
        )
    return result


def called(rule: str) -> str:
    """Name a rule in a sentence.

    >>> called("lac"), called("average_k=1.5"), called("class_conditional")
    ('LAC', 'average-K (K = 1.5)', 'class-conditional LAC')
    """
    method, _, size = rule.partition("=")
    names = {
        "lac": "LAC",
        "class_conditional": "class-conditional LAC",
        "average_k": "average-K",
        "aps": "APS",
        "raps": "RAPS",
        "global": "one λ for all",
        "per_attribute": "a λ for each attribute",
        "crc": "risk control",
    }
    return f"{names.get(method, method)} (K = {significant(float(size))})" if size else names.get(method, method)


def _costs(study: StudiedSets, name: str, rule: str) -> str:
    """Say whom "cannot say" concerns; empty where it is nobody."""
    entry = study.subjects[name]["rules"][rule]
    rare = study.subjects[name]["minority"][0]
    shares = {answer: Estimate.from_json(entry["several_per_class"][answer]) for answer in ("no", "yes")}
    of_rare, of_common = shares[rare], shares["yes" if rare == "no" else "no"]
    if not (of_rare.defined and of_common.defined) or of_rare.value + of_common.value == 0:
        return ""
    answered = Estimate.from_json(entry["by_size"]["1"])
    return (
        f"It cannot say for {written(of_rare, 'percent')} of the minority and {written(of_common, 'percent')} of the "
        f"majority; where it gives one answer, {written(answered, 'percent')} are right."
    )


def _counts(counts: dict[str, int | None]) -> str:
    people = counts["identities"]
    images = counted(counts["images"] or 0, "image")
    return images if people is None else f"{images} of {counted(people, 'person', 'people')}"


def notes(studies: Sequence[StudiedSets]) -> list[str]:
    """List what must be known of the calibrations, once each."""
    result = []
    for study in studies:
        result += [f"{note[0].upper()}{note[1:]}." for note in study.summary["notes"]]
        reasons = [one for one in study.summary["left_out"] if one["rule"] != "raps"]
        for one in reasons[:6]:
            result.append(f"{one['subject']}, {called(one['rule'])}: left out, because {one['reason']}.")
    return list(dict.fromkeys(result))
