"""The results of a zoom study in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bincam.report.sections.words import wording
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import counted, number, shown, stated, written

PLACES = ("upper left", "above", "upper right", "left", "in the centre", "right", "lower left", "below", "lower right")


def finding(summary: Mapping[str, Any]) -> str:
    """Say for the first screen, in one sentence, how far answers depend on framing and what the oracle is worth."""
    entries: Mapping[str, Any] = summary["questions"]
    name = max(entries, key=lambda each: entries[each]["sensitivity"]["all"]["value"] or 0)
    entry = entries[name]
    depends, right = _estimate(entry["sensitivity"]["all"]), _estimate(entry["oracles"]["right"])
    if wording.few(depends) or wording.few(right):
        return "How far answers depend on framing is undefined: too few images have an answer and a label."
    among = "" if len(entries) == 1 else f", the most of {len(entries)} questions"
    alike = sum(each["sensitivity"]["all"]["value"] == depends.value for each in entries.values()) - 1
    among += f" ({counted(alike, 'other')} likewise)" if alike else ""
    views = counted(summary["plan"]["views"], "view")
    return (
        f"The answer to {name} depends on scale and place in {written(depends, 'percent')} of the images{among}: at "
        f"least one of {views} is right in {shown(right, 'percent')}, and would be in "
        f"{written(_estimate(entry['oracles']['null']), 'percent')} if labels had nothing to do with images."
    )


def about(name: str, entry: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    """Say of one question what its figures mean."""
    excess = _estimate(entry["oracles"]["excess"])
    result = []
    if excess.defined:
        if excess.low > 0:
            meaning = "so some of its views see what the images show"
        elif excess.high < 0:
            meaning = "so it finds the true answer less often than chance"
        else:
            meaning = "so it says nothing about the images that chance would not"
        result.append(f"Right-oracle less its null: {written(excess, 'points')}, {meaning}.")
    result += _sensitivity(entry)
    result += _positions(entry)
    result += about_scale(entry)
    cover = entry["cover"]
    if cover["views"]:
        judged = _estimate(cover["judged"][-1])
        count = len(cover["views"])
        result.append(
            f"{counted(count, 'view')} chosen on one half of the images {'covers' if count == 1 else 'cover'} "
            f"{number(100 * cover['fitted'][-1], 0)} % of it, and {stated(judged, 'percent')} of the other half."
        )
    blank = summary["blank"][name]["answer"]
    result.append(f"Of a blank frame the model says: {blank if blank is not None else 'nothing (no finite logit)'}.")
    if entry["oracles"]["undefined_views"]:
        result.append(
            f"{counted(entry['oracles']['undefined_views'], 'view')} of labelled images had no answer; they are "
            "neither right nor wrong."
        )
    return result


def lead(summary: Mapping[str, Any]) -> list[str]:
    """Say what was looked at."""
    plan = summary["plan"]
    people = "" if summary["people"] is None else f" of {counted(summary['people'], 'person', 'people')}"
    cut = [size for size, share in plan["strict"].items() if share == 1]
    part = [size for size, share in plan["strict"].items() if 0 < share < 1]
    sentences = [
        f"Each of {counted(summary['images'], 'image')}{people} was seen at {counted(plan['views'], 'view')} (plan "
        f"{plan['name']}: {counted(len(plan['sizes']), 'scale')}).",
        f"A view is a strict part of every image at {counted(len(cut), 'scale')}"
        + (f", and of some images at {len(part)} more" if part else "")
        + "; tables of places rest on these alone."
        if cut or part
        else "No view is a strict part of an image, so there is no table of places.",
    ]
    if summary["skipped"]:
        sentences.append(f"{counted(summary['skipped'], 'image')} could not be read and were left out.")
    if match := summary["exact_match"]:
        right, null, excess = (_estimate(match[key]) for key in ("right", "null", "excess"))
        sentences.append(
            f"One view is right on all {len(summary['questions'])} questions at once in {stated(right, 'percent')}; it "
            f"matches the labels of another image in {written(null, 'percent')} (less this: "
            f"{written(excess, 'points')})."
        )
    return sentences


def _sensitivity(entry: Mapping[str, Any]) -> list[str]:
    minority, majority = (_estimate(entry["sensitivity"][key]) for key in ("minority", "majority"))
    if wording.few(minority) or wording.few(majority):
        return []
    return [
        f"The answer depends on the view in {stated(minority, 'percent')} of the minority and "
        f"{stated(majority, 'percent')} of the majority."
    ]


def _positions(entry: Mapping[str, Any]) -> list[str]:
    cells = [_estimate(cell) for row in entry["positions"]["centred"]["accuracy"]["deviations"] for cell in row]
    if not all(cell.defined for cell in cells):
        return [
            "Views that are a strict part of the images are not at all nine anchors, so no positional bias is told."
        ]
    beyond = [(place, cell) for place, cell in zip(PLACES, cells, strict=True) if cell.low > 0 or cell.high < 0]
    if not beyond:
        return ["No anchor differs from the mean of the nine: no positional bias is shown."]
    place, most = max(beyond, key=lambda pair: abs(pair[1].value))
    return [
        f"Views centred {place} differ most from the mean of the nine anchors, {written(most, 'points', 1)}; "
        f"{len(beyond)} of nine intervals {'exclude' if len(beyond) > 1 else 'excludes'} 0 (about one in three flat "
        "tables has one that does)."
    ]


def about_scale(entry: Mapping[str, Any]) -> list[str]:
    """Say at which scale a question is answered best."""
    of_object = entry["scales_of_object"]
    scales = of_object or entry["scales"]
    gain = _estimate(scales["gain"])
    if scales["needed"] is None or not gain.defined:
        return []
    which = "on images whose object the view shows" if of_object else "over all anchors"
    needs = "no scale is shown to be needed" if gain.low <= 0 else f"the scale it needs is S = {scales['needed']}"
    return [
        f"Best scale on one half of the images, {which}: S = {scales['needed']} pixels; on the other half it is "
        f"{written(gain, 'points')} better than the mean of all scales, so {needs}."
    ]


def _estimate(entry: Mapping[str, Any] | None) -> Estimate:
    return Estimate.from_json(entry)
