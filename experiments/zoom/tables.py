"""The claims of arXiv 2304.05538 and of this package, beside what the experiments found: ``tables.md``.

PYTHONPATH=. python -m experiments.zoom.tables
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from bincam.files import atomic
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import Kind, number, written
from experiments.scenes.over_seeds import table as markdown

HERE = Path(__file__).parent
SOURCE, OURS = "arXiv 2304.05538", "*ours*"
HEAD = ("claim", "published", "here", "criterion", "verdict")
HOLDS, FAILS, DEPENDS, OPEN = "holds", "fails", "depends", "not run yet"
Results = Mapping[str, Any]


@dataclass(frozen=True)
class Claim:
    """A claim, and how it is judged.

    Attributes:
        text: The claim.
        published: Where, and what.
        file: The results that it rests on.
        here: What was found, in words.
        criterion: In words.
        verdict: ``holds``, ``fails`` or ``depends``.
    """

    text: str
    published: str
    file: str
    here: Callable[[Results], str]
    criterion: str
    verdict: Callable[[Results], str]

    def row(self, results: Mapping[str, Results]) -> list[str]:
        """Make the table's row from the results by file."""
        found = results.get(self.file)
        stated = [OPEN, self.criterion, OPEN] if found is None else [
            self.here(found), self.criterion, self.verdict(found)
        ]  # fmt: skip
        return [self.text, self.published, *stated]


def estimate(results: Results, *path: str) -> Estimate:
    """Read an estimate by its keys."""
    value: Any = results
    for key in path:
        value = value[key]
    return Estimate.from_json(value)


def text(results: Results, kind: Kind, *path: str) -> str:
    """Write an estimate by its keys."""
    return written(estimate(results, *path), kind)


def yes(condition: bool) -> str:
    """Say if a criterion is met."""
    return HOLDS if condition else FAILS


def not_against(condition: bool) -> str:
    """Say if a criterion is met on so few photographs that they cannot speak against it."""
    return HOLDS if condition else f"{DEPENDS}: too few photographs"


def cells(results: Results, name: str, definition: str) -> list[Estimate]:
    """Read the nine deviations of a set of scenes, row by row."""
    return [Estimate.from_json(cell) for row in results["places"][name][definition] for cell in row]


def excluding_0(found: list[Estimate]) -> int:
    """Count intervals without 0."""
    return sum(one.low > 0 or one.high < 0 for one in found)


def _corner(results: Results) -> bool:
    own = estimate(results, "places", "corner", "corners", "00")
    visible = cells(results, "corner", "visible")
    return own.low > 0 and max(visible, key=lambda one: one.value) == visible[0]


def _follows(results: Results) -> bool:
    sizes = sorted(results["sizes"], key=float)
    best = [results["sizes"][size]["needed"] for size in sizes]
    return all(one >= other for one, other in pairwise(best)) and best[0] > best[-1]


def _sides(results: Results) -> str:
    parts = []
    for size in sorted(results["sizes"], key=float):
        entry = results["sizes"][size]
        parts.append(
            f"side {float(size):g}: S = {entry['needed']} (the object is then {entry['side_at_needed']:g} pixels), "
            f"{written(Estimate.from_json(entry['gain']), 'points')} over the mean of the scales"
        )
    return "; ".join(parts)


def _shuffled(found: Mapping[str, Any], where: str) -> str:
    return (
        f"objects {where}: mean excess {number(100 * found['mean_excess'], 1, signed=True)} points, 0 in "
        f"{found['intervals_with_0']} of {found['shuffles']} intervals"
    )


def _range(results: Results, name: str, kind: Kind = "percent") -> str:
    values = [100 * one[name]["value"] for one in results["yes_or_no"]["attributes"].values()]
    ends = [number(end, 1, signed=kind == "points") for end in (min(values), max(values))]
    return f"{' to '.join(ends)}{' %' if kind == 'percent' else ' points'}"


def _yes_or_no(results: Results) -> str:
    ranges = [f"some view wrong {_range(results, 'wrong')}", f"null {_range(results, 'null')}"]
    ranges.append(f"excess {_range(results, 'excess', 'points')}")
    of_set = text(results, "points", "places", "any", "oracles", "excess")
    return f"attributes, {results['yes_or_no']['images']} images: {', '.join(ranges)}; excess of the set {of_set}"


CLAIMS = (
    Claim(
        "With the right zoom a classifier is right on images that its plain prediction gets wrong",
        f"{SOURCE}: ResNet-50 on ImageNet 75.75 % → 96.78 % by any of 324 views",
        "photographs",
        lambda r: (
            f"{r['photographs']} photographs, {r['views']} views: one-crop {text(r, 'percent', 'network', 'plain')}, "
            f"some view {text(r, 'percent', 'network', 'right')}; null {text(r, 'percent', 'network', 'null')}"
        ),
        "the right-oracle's interval is above plain accuracy's; nine photographs cannot decide it",
        lambda r: not_against(estimate(r, "network", "right").low > estimate(r, "network", "plain").high),
    ),
    Claim(
        "Of a yes-or-no answer the same oracle says nothing",
        f"{OURS}: the same network and views, yes where the class has a number below 500",
        "photographs",
        lambda r: (
            f"some view right {text(r, 'percent', 'twin', 'right')}, some view wrong "
            f"{text(r, 'percent', 'twin', 'wrong')}, null {text(r, 'percent', 'twin', 'null')}; excess "
            f"{text(r, 'points', 'twin', 'excess')}, of the network itself {text(r, 'points', 'network', 'excess')}"
        ),
        "the intervals of both excesses do not overlap; nine photographs cannot decide it",
        lambda r: not_against(estimate(r, "network", "excess").low > estimate(r, "twin", "excess").high),
    ),
    Claim(
        "The right-oracle of yes-or-no attributes is near 100 %, whatever is known of them",
        f"{OURS}; written down when the figures had been seen",
        "scenes",
        lambda r: (
            f"{r['yes_or_no']['images']} images, ten attributes: own crop {_range(r, 'own_crop')}, some view right "
            f"{_range(r, 'right')}"
        ),
        "over 95 % for each of ten attributes",
        lambda r: yes(all(one["right"]["value"] > 0.95 for one in r["yes_or_no"]["attributes"].values())),
    ),
    Claim(
        "Less its null, it is smaller of every yes-or-no attribute than of the ten shapes as one set",
        OURS,
        "scenes",
        _yes_or_no,
        "every attribute's excess is less than that of the set, intervals apart",
        lambda r: yes(
            all(
                Estimate.from_json(one["excess"]).high < estimate(r, "places", "any", "oracles", "excess").low
                for one in r["yes_or_no"]["attributes"].values()
            )
        ),
    ),
    Claim(
        "Some view is right more often than labels dealt at random would allow, where the network knows its task",
        OURS,
        "scenes",
        lambda r: (
            f"objects anywhere: own crop {text(r, 'percent', 'places', 'any', 'own_crop')}, some view "
            f"{text(r, 'percent', 'places', 'any', 'oracles', 'right')}, null "
            f"{text(r, 'percent', 'places', 'any', 'oracles', 'null')}, excess "
            f"{text(r, 'points', 'places', 'any', 'oracles', 'excess')}"
        ),
        "the excess' interval is above 0",
        lambda r: yes(estimate(r, "places", "any", "oracles", "excess").low > 0),
    ),
    Claim(
        "A twin with shuffled labels has no excess",
        OURS,
        "scenes",
        lambda r: "; ".join(
            _shuffled(r["places"][name]["shuffled"], where)
            for name, where in (("any", "anywhere"), ("corner", "in a corner"))
        ),
        "at least nine of ten 95 % intervals contain 0",
        lambda r: yes(
            all(
                one["shuffled"]["intervals_with_0"] >= 0.9 * one["shuffled"]["shuffles"] for one in r["places"].values()
            )
        ),
    ),
    Claim(
        "Positional bias finds where the objects are",
        f"{SOURCE}: ImageNet-A per anchor 22.75 to 28.71 % at the borders, 47.04 % in the centre",
        "scenes",
        lambda r: (
            "objects in the upper left quarter: views centred upper left less those of the other three corners "
            f"{text(r, 'points', 'places', 'corner', 'corners', '00')}; views in which the upper left is visible "
            f"{written(cells(r, 'corner', 'visible')[0], 'points')} against the mean of nine"
        ),
        "the corner's interval is above 0, and it is the greatest of nine in the table of visible anchors",
        lambda r: yes(_corner(r)),
    ),
    Claim(
        "Without planted places the tables are flat",
        OURS,
        "scenes",
        lambda r: (
            "objects anywhere: upper left less the other corners "
            f"{text(r, 'points', 'places', 'any', 'corners', '00')}; intervals without 0: "
            f"{excluding_0(cells(r, 'any', 'centred'))} of nine (centred), "
            f"{excluding_0(cells(r, 'any', 'visible'))} of nine (visible)"
        ),
        "no corner's interval is without 0, and at most one of nine in each table (one in three flat tables has one)",
        lambda r: yes(
            excluding_0([estimate(r, "places", "any", "corners", at) for at in r["places"]["any"]["corners"]]) == 0
            and max(excluding_0(cells(r, "any", each)) for each in ("centred", "visible")) <= 1
        ),
    ),
    Claim(
        "The needed zoom follows the size of the object",
        OURS,
        "scenes",
        _sides,
        "the needed scale does not rise with the size, and is greater for the smallest than for the largest objects",
        lambda r: yes(_follows(r)),
    ),
)


def table(results: Mapping[str, Results]) -> str:
    """Make the table of claims in Markdown."""
    return markdown(HEAD, [claim.row(results) for claim in CLAIMS]) + "\n"


def read() -> dict[str, Results]:
    """Read the results that are there."""
    files = {name: HERE / f"{name}.json" for name in ("scenes", "photographs")}
    return {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items() if file.is_file()}


def main() -> None:
    """Write ``tables.md``."""
    head = "# Claims about zooming\n\nMade by `python -m experiments.zoom.tables` from the JSON files beside it.\n\n"
    with atomic(HERE / "tables.md") as part:
        part.write_text(head + table(read()), encoding="utf-8")


if __name__ == "__main__":
    main()
