"""What may not be relied on: the result of the randomisation test, what falls with it, what stands, and what to try."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from bincam.report.conclusions.facts import MapTest
from bincam.report.conclusions.statements import Tone
from bincam.report.reading.audited_model import Arm
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import counted, number, percent, written

STANDS = "errors, thresholds, calibration, sets of outputs, label sets and groups of people, which no map enters"

MARKS = {"fail": "fails the sanity test", "cannot tell": "sanity test undecided", "untested": "sanity test not run"}
"""Marks of figures made of maps, by the verdict of the test."""


@dataclass(frozen=True)
class Reliance:
    """What may not be relied on, for one model.

    Attributes:
        title: The result in a sentence.
        test: The test's figures and bounds.
        falls: What rests on the maps.
        stands: What does not.
        advice: What to try.
        mark: The mark of figures made of maps.
        tone: ``bad`` where the test fails, ``care`` where it decides nothing.
    """

    title: str
    test: str
    falls: str
    stands: str
    advice: str
    mark: str
    tone: Tone

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return asdict(self)


def of_models(tests: Sequence[MapTest], arms: Sequence[Arm]) -> Iterator[Reliance]:
    """Say what may not be relied on, once where no model was tested."""
    if len(tests) > 1 and all(test.verdict == "untested" for test in tests):
        tests, arms = [replace(tests[0], model="both models")], arms[:1]
    several = len(arms) > 1 or any(test.model == "both models" for test in tests)
    for test, arm in zip(tests, arms, strict=False):
        if (found := reliance(test, falls(arm), several=several)) is not None:
            yield found


def map_test(arm: Arm, model: str) -> MapTest:
    """Read the randomisation test of a model's primary method.

    Args:
        arm: The audited model.
        model: Its name in a sentence.
    """
    gate = arm.gate
    nothing = Estimate.from_json(None)
    if gate is None:
        return MapTest(model, arm.method, "untested", "", nothing, math.nan, nothing, math.nan)
    stated: Literal["pass", "fail", "cannot tell"] = "pass" if gate.get("passed") else "fail"
    if gate.get("verdict") == "cannot tell":
        stated = "cannot tell"
    earlier = "" if "verdict" in gate else " (the test of an earlier version, whose bound was not calibrated)"
    excess, left = (Estimate.from_json(gate.get(name)) for name in ("excess", "variance_left"))
    margin, least = (float(gate.get(name) or math.nan) for name in ("margin", "least_variance"))
    return MapTest(model, arm.method, stated, f"{gate.get('reason') or ''}{earlier}", excess, margin, left, least)


def falls(arm: Arm) -> list[str]:
    """List what a page shows of an audit that rests on its maps."""
    manifest = arm.audit.manifest
    return [
        "mean maps and maps of examples",
        *(["gain, energy and lift"] if manifest.regions or arm.audit.masks else []),
        *(["attention overlap"] if arm.audit.leakage else []),
        *(["the prediction grid"] if manifest.cells else []),
        *(["boxes"] if manifest.boxes else []),
        *(["deletion, insertion and ROAD"] if (arm.audit.sample or {}).get("methods") else []),
    ]


def reliance(test: MapTest, falls: Sequence[str], *, several: bool = False) -> Reliance | None:
    """Say what falls with a test that was not passed; None where it was passed.

    Args:
        test: The result of the test.
        falls: What the page has that rests on maps, such as ``gain``.
        several: True if the page has several models, so that this one must be named.
    """
    if test.verdict == "pass":
        return None
    whose = f" of {test.model}" if several else ""
    title = {
        "fail": f"The maps{whose} fail the sanity test.",
        "cannot tell": f"Whether the maps{whose} pass the sanity test cannot be told.",
        "untested": f"The maps{whose} were not put to the sanity test.",
    }[test.verdict]
    return Reliance(
        title=title,
        test=_figures(test),
        falls=", ".join(falls),
        stands=STANDS,
        advice=_advice(test),
        mark=MARKS[test.verdict],
        tone="bad" if test.verdict == "fail" else "care",
    )


def _figures(test: MapTest) -> str:
    parts = [f"Model-parameter randomisation test of {test.method}"]
    if test.reason:
        parts[0] += f": {test.reason}"
    if test.excess.defined:
        bound = "" if math.isnan(test.margin) else f"; it must be below {number(test.margin)}"
        parts.append(
            f"excess with its one-sided 95\u202f% bounds ({counted(test.excess.images, 'image')}): "
            f"{written(test.excess, 'difference')}{bound}"
        )
    if test.variance_left.defined:
        bound = "" if math.isnan(test.least_variance) else f"; it must be at least {percent(test.least_variance)}"
        parts.append(f"{percent(test.variance_left.value)} of the maps' variance is left without their mean map{bound}")
    return f"{'. '.join(part[:1].upper() + part[1:] for part in parts)}."


def _advice(test: MapTest) -> str:
    others = "hirescam or elementwise" if test.method.startswith("grad_cam") else "grad_cam or hirescam"
    if test.verdict == "untested":
        return "audit again with --gate-images 64"
    if test.verdict == "cannot tell" and test.excess.defined:
        return "audit again with more images in the test (--gate-images 256)"
    if test.verdict == "cannot tell":
        return "audit at a layer with a finer grid (--method METHOD@LAYER), or with more images in the test"
    return (
        f"another method ({others}) or a layer with a finer grid (--method METHOD@LAYER); if those fail, too, judge "
        "the model by its errors alone"
    )
