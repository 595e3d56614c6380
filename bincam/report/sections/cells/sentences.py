"""Sentences on prediction grids: is the evidence of missed images in their cells, and is it more than chance?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from bincam.report.sections.cells.poolings import SAID, against_mean, pooling_sentence
from bincam.stats.clustered.paired_scores import ScoreComparison
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import counted, interval, number, shown, stated


def row_of(entry: Mapping[str, Any], measure: str, reference: str = "zero") -> Mapping[str, Any] | None:
    """Find a row of an entry ``cells``; None where it is not defined."""
    rows = entry["rows"]
    return next((row for row in rows if (row["measure"], row["reference"]) == (measure, reference)), None)


def missed_sentence(entry: Mapping[str, Any], whose: str = "", *, several: bool = False) -> str:
    """Say how often the evidence of missed images is there in the cells of the object, against chance.

    Args:
        entry: An entry ``cells`` of the summary.
        whose: Start of the sentence, such as ``Bald: ``.
        several: Whether it is of several attributes, of which an image may miss more than one.

    Example:
        >>> from bincam.stats.estimate import estimate
        >>> figures = (0.8, 0.72, 0.86), (0.5, 0.46, 0.54), (0.3, 0.22, 0.38)
        >>> names = ("figure", "null", "difference")
        >>> row = {n: estimate(*f, 120, None, "").to_json() for n, f in zip(names, figures)}
        >>> entry = {"rows": [{"measure": "recoverable", "reference": "zero", **row}]}
        >>> missed_sentence(entry).split(", against")[0]
        'In 80 of 100 missed images the evidence is there in the cells of the object'
        >>> missed_sentence({"rows": [], "missed": 0})
        'No image is missed, so no evidence was lost.'
    """
    images = "misses (an image and an attribute that it has)" if several else "missed images"
    row = row_of(entry, "recoverable")
    if row is None and not entry["missed"]:
        return _begun(whose, "no image is missed, so no evidence was lost.")
    if row is None:
        count = counted(entry["missed"], "miss", "misses") if several else counted(entry["missed"], "missed image")
        return _begun(whose, f"none of {count} has a mask that fits several places, so chance cannot be told.")
    found, chance, more = (Estimate.from_json(row[name]) for name in ("figure", "null", "difference"))
    of = counted(found.images, "miss", "misses") if several else counted(found.images, "missed image")
    if more.small or not more.defined:
        few = "too few to say whether their evidence is in the cells of the object"
        return _begun(whose, f"{of} with a mask: {few}.")
    about = f"{_points(more)}, {of}"
    start = f"in {_hundred(found)} of 100 {images} the evidence is there in the cells of the object"
    if more.low > 0:
        return _begun(whose, f"{start}, against {_hundred(chance)} by chance ({about}).")
    less = "less often than chance would have it" if more.high < 0 else "not more than chance for certain"
    return _begun(whose, f"{start}, against {_hundred(chance)} by chance: {less} ({about}).")


def _hundred(share: Estimate) -> str:
    """A share as a number of a hundred: whole, but with a decimal below one."""
    hundred = 100 * share.value
    return number(hundred, 1) if 0 < hundred < 1 else number(hundred, 0)


def _points(difference: Estimate) -> str:
    return " ".join(filter(None, (f"difference {shown(difference, 'points')}", interval(difference, "points"))))


def _begun(whose: str, text: str) -> str:
    return f"{whose}{text}" if whose else text[0].upper() + text[1:]


def auroc_sentence(entry: Mapping[str, Any]) -> str:
    """Say whether the cells on the object score higher than others, beyond what another image's scores would."""
    row = row_of(entry, "auroc")
    if row is None:
        return "No image has a mask that tells the cells on an object from the others."
    own, null, more = (Estimate.from_json(row[name]) for name in ("figure", "null", "difference"))
    if not own.defined:
        return "No image with a mask has another one beside it whose scores could be compared."
    verdict = (
        "cannot be judged on so few images"
        if more.small
        else "more than a template would"
        if more.low > 0
        else "less than a template would"
        if more.high < 0
        else "not more than a template would for certain"
    )
    return (
        f"A cell on the object scores higher than one elsewhere with probability {shown(own)}; with the scores of "
        f"another image with it, {shown(null)}. The difference is {stated(more, 'difference')}: {verdict}."
    )


def size_sentence(entry: Mapping[str, Any], *, several: bool = False) -> str:
    """Say how many objects are smaller than a cell, and whether small ones are missed more often.

    Args:
        entry: An entry ``cells`` of the summary.
        several: Whether it is of several attributes, so that an image may count more than once.
    """
    fallback = Estimate.from_json(entry["fallback"])
    what = (
        f"{counted(entry['images'], 'positive label')}" if several else f"{counted(entry['images'], 'image')} with it"
    )
    text = f"{entry['masked']:,} of {what} have a mask"
    if not fallback.defined:
        return f"{text}."
    small = shown(fallback, "percent")
    text += f"; of these, {small} show an object smaller than a cell, for which its fullest cell stands"
    smaller = Estimate.from_json(entry["dilution"]["smaller"])
    if smaller.defined:
        text += (
            ". A missed image's object covers fewer cells than a found one's with probability "
            f"{stated(smaller)} (0.5: size makes no difference)"
        )
    return f"{text}."


def other_pooling(name: str, poolings: Mapping[str, Any] | None, *, of_set: bool = False) -> str:
    """Say whether another pooling would have answered better; empty in an audit that keeps none.

    Args:
        name: Of the attribute or set.
        poolings: The entry ``poolings`` of the summary.
        of_set: Whether it is that of a set.
    """
    if not poolings:
        return ""
    if "reason" in poolings:
        return f"{name}: whether another pooling would have answered better is not known: {poolings['reason']}."
    best = poolings["best"]
    if not of_set:
        compared = poolings["compared"].get(best) or next(iter(poolings["compared"].values()))
        names = [one.name for one in fields(ScoreComparison)]
        return pooling_sentence(name, best, ScoreComparison(**{n: Estimate.from_json(compared[n]) for n in names}))
    if best == "mean":
        return f"{name}: no other pooling of the same cells decided better on the reference split."
    gain, error = (Estimate.from_json(poolings["compared"][best][key]) for key in ("error_gain", "error"))
    answered = "better" if gain.low > 0 else "worse" if gain.high < 0 else "neither better nor worse for certain"
    return (
        f"{name}: the same cells, pooled {SAID[best]}, would have answered {answered}: {against_mean(error, gain)}; "
        "the model was not trained for it."
    )


def pooled_better(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """Count the attributes for which another pooling would have answered better; empty where none was compared.

    Args:
        entries: Attribute to its entry ``cells``.
    """
    chosen = {
        name: poolings["compared"].get(poolings["best"])
        for name, entry in entries.items()
        if "compared" in (poolings := entry.get("poolings") or {})
    }
    if not chosen:
        return ""
    gains = [Estimate.from_json(of["balanced_error_gain"]) for of in chosen.values() if of is not None]
    better = sum(gain.defined and not gain.small and gain.low > 0 for gain in gains)
    worse = sum(gain.defined and not gain.small and gain.high < 0 for gain in gains)
    others = f", and worse for {worse}" if worse else ""
    return (
        "Another pooling of the same cells, chosen on the reference split, would have answered better for certain for "
        f"{better} of {counted(len(chosen), 'attribute')}{others}; the model was not trained for it."
    )
