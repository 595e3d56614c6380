"""Tables of the finished jobs: claims with what is published and what was found, and the figures behind them.

    PYTHONPATH=. python -m experiments.scenes.tables

writes ``tables.md`` from the JSON files alone. A claim *holds* if its criterion is met in every finished seed, *fails*
if in none, and *depends* otherwise; what is not finished says so.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bincam.files import atomic, read_json
from experiments.scenes.campaign import LOCALISERS, POOLINGS, SEEDS, STRENGTHS, Job, Sample, jobs
from experiments.scenes.over_seeds import OPEN, Result, at, number, seeds, shown, table, verdict
from experiments.scenes.run import HERE, finished

MIL, CAM, OURS = "arXiv 2606.14555", "arXiv 1512.04150", "*ours*"
NAMES = {
    "mean": "GAP (mean)",
    "max": "GMP (max)",
    "logsumexp": "LSE (r = 1)",
    "top": "best 10 %",
    "top_10": "best 10 %",
    "top_25": "best 25 %",
    "noisy_or": "noisy-or",
    "pcam": "PCAM",
}
Results = Mapping[str, Result]


@dataclass(frozen=True)
class Claim:
    """A claim, and how it is judged.

    Attributes:
        text: The claim.
        published: Where, and what.
        found: Label to path of the figures that are shown.
        criterion: In words.
        holds: Whether one seed meets it.
    """

    text: str
    published: str
    found: Mapping[str, str]
    criterion: str
    holds: Callable[[Result], bool]

    def row(self, results: Sequence[Result]) -> list[str]:
        """Make the table's row."""
        here = "; ".join(f"{label} {shown(at(r, path) for r in results)}" for label, path in self.found.items())
        stated = [here if results else OPEN, seeds(results), self.criterion, verdict(results, self.holds)]
        return [self.text, self.published, *stated]


HEAD = ("claim", "published", "here, mean [range over seeds]", "seeds", "criterion", "verdict")


def above(path: str, other: str | float, margin: float = 0.0) -> Callable[[Result], bool]:
    """Return whether a figure exceeds another one, or a number; of estimates, the ends of their intervals."""

    def judge(result: Result) -> bool:
        low = at(result, path)
        high = other if isinstance(other, float) else at(result, other)
        return low is not None and high is not None and low > high + margin

    return judge


def both(*conditions: Callable[[Result], bool]) -> Callable[[Result], bool]:
    """Return whether all conditions are met."""
    return lambda result: all(condition(result) for condition in conditions)


C = "cells/"
SINGLE = (
    Claim(
        "A classifier trained with one label per image learns the task of scenes with several objects",
        f"{MIL}: yes; no figure in the part that could be read",
        {"top-1 is present in": C + "top_1_present", "top-1": C + "top_1", "ceiling": C + "top_1_ceiling"},
        "top-1 is present in over .9",
        above(C + "top_1_present", 0.9),
    ),
    Claim(
        "Its cells recover shapes that the image's answer is not",
        f"{MIL}: evidence remains recoverable where the image's prediction is incorrect",
        {
            "recovery": C + "recovery_of_errors",
            "less chance": C + "recoverable",
            "an absent shape": C + "absent_alarm",
        },
        "intervals: less chance above 0, and above an absent shape's",
        both(above(C + "recoverable/low", 0.0), above(C + "recovery_of_errors/low", C + "absent_alarm/high")),
    ),
    Claim(
        "All shapes are ranked, though each image had one label",
        OURS,
        {
            "mAP of the image": C + "map_of_image",
            "of its best cell": C + "map_of_best_cell",
            "chance": C + "map_by_chance",
        },
        "mAP of the image over .9",
        above(C + "map_of_image", 0.9),
    ),
    Claim(
        "Cells on an object score higher than others",
        f"{MIL}: cells of the foreground name the class",
        {
            "AUROC": C + "auroc_covered",
            "less the null": C + "auroc_over_null_covered",
            "of objects smaller than a cell": C + "auroc_fallback",
            "share of these": C + "fallback",
        },
        "interval of AUROC less the null above 0",
        above(C + "auroc_over_null_covered/low", 0.0),
    ),
)
SMALL, TRAINED_SIZE = "sweep/0/", "sweep/3/"
DILUTION = (
    Claim(
        "A mean loses small objects",
        f"{MIL}: failures reflect known limitations of mean aggregation",
        {
            "misses at side .10": SMALL + "poolings/own/miss",
            "at .23": TRAINED_SIZE + "poolings/own/miss",
        },
        "intervals: more at .10",
        above(SMALL + "poolings/own/miss/low", TRAINED_SIZE + "poolings/own/miss/high"),
    ),
    Claim(
        "The evidence of what is missed is still in the cells",
        f"{MIL}: yes",
        {
            "recovery of misses at side .10": SMALL + "cells/recovery_of_errors",
            "false alarm": SMALL + "cells/false_alarm",
        },
        "interval above that of the false alarm",
        above(SMALL + "cells/recovery_of_errors/low", SMALL + "cells/false_alarm/high"),
    ),
    Claim(
        "Another pooling of the same cells, not trained for, loses fewer small objects",
        OURS,
        {"misses at side .10, mean": SMALL + "poolings/mean/miss", "best 10 %": SMALL + "poolings/top_10/miss"},
        "intervals: the best 10 % miss fewer",
        above(SMALL + "poolings/mean/miss/low", SMALL + "poolings/top_10/miss/high"),
    ),
)


def collected(out: Path, listed: Sequence[Job], sample: Sample) -> dict[str, Result]:
    """Read the finished jobs; those of other settings are none of these."""
    found = ((job, finished(job, sample, out)) for job in listed)
    return {job.name: result for job, result in found if result is not None}


def of(results: Results, rule: str, pooling: str, stride: int = 8, strength: float | None = None) -> list[Result]:
    """Select the finished seeds of a kind of job."""
    names = [Job(rule, pooling, seed, stride, strength).name for seed in SEEDS]
    return [results[name] for name in names if name in results]


def claims(listed: Sequence[Claim], results: Sequence[Result]) -> str:
    """Make a table of claims about one kind of job."""
    return table(HEAD, [claim.row(results) for claim in listed])


def learning(results: Sequence[Result]) -> str:
    """Say when the rule ``one`` begins to be learned."""
    if not results:
        return f"When it begins to be learned: {OPEN}."
    begun = []
    for result in results:
        history, plan = result["training"]["history"], result["job"]["plan"]
        first = next((n for n, epoch in enumerate(history, 1) if epoch["top_1_present"] >= 0.8), None)
        seconds = result["training"]["cpu_s"] * (first or 0) / len(history)
        begun.append(f"epoch {first}, {first * plan['count']:,} images, {seconds:.0f} s" if first else "never")
    return f"Validation's top-1 is first present in .8 of the scenes (processor time, one thread): {'; '.join(begun)}."


def sizes(results: Results) -> str:
    """Make the table of misses by object size, poolings trained and not."""
    scales = Sample().scales
    head = [
        "pooling",
        "trained with it",
        "seeds",
        "mAP at .18 to .28",
        *(f"misses at side {number(s)}" for s in scales),
    ]
    rows = []
    for pooling in (*LOCALISERS, *POOLINGS):
        own = of(results, "all", pooling)
        rows.append(_size_row(NAMES.get(pooling, pooling), "yes", own, "own", len(scales)))
    gap = of(results, "all", "mean")
    names = ("max", "logsumexp", "top_10", "top_25", "noisy_or", "pcam")
    rows += [_size_row(NAMES.get(name, name), "no: GAP's cells", gap, name, len(scales)) for name in names]
    return table(head, rows)


def _size_row(name: str, trained: str, results: Sequence[Result], pooling: str, count: int) -> list[str]:
    cells = [shown(at(r, f"sweep/{i}/poolings/{pooling}/miss") for r in results) for i in range(count)]
    return [name, trained, seeds(results), shown(at(r, f"poolings/{pooling}/map") for r in results), *cells]


def boxes(results: Results) -> str:
    """Make the table of localisers."""
    columns = {
        "V2": "known/v2",
        "MaxBoxAcc": "known/max_box_acc",
        "τ of validation": "known/chosen",
        "τ = .2": "known/fixed",
        "PxAP": "pxap",
        "constant box": "constant",
        "centred box": "centred",
        "grid's reach": "reach",
    }
    rows = []
    for pooling in (*LOCALISERS, *POOLINGS):
        own = of(results, "all", pooling)
        for maps in ("evidence",) if pooling == "mean" else ("evidence", "cells"):
            figures = [shown(at(r, f"boxes/{maps}/{path}") for r in own) for path in columns.values()]
            rows.append([NAMES.get(pooling, pooling), maps, seeds(own), *figures])
    return table(["trained with", "map", "seeds", *columns], rows)


def localisers(results: Results) -> str:
    """Judge GAP against GMP and LSE, seed by seed."""
    rows = []
    for other in LOCALISERS[1:]:
        shared = [
            (results[a], results[b])
            for seed in SEEDS
            if (a := Job("all", "mean", seed).name) in results and (b := Job("all", other, seed).name) in results
        ]
        for maps in ("cells", "evidence"):
            gap = [at(a, "boxes/evidence/known/v2") for a, _ in shared]
            rest = [at(b, f"boxes/{maps}/known/v2") for _, b in shared]
            judged = [{"better": (x or 0) > (y or 0)} for x, y in zip(gap, rest, strict=True)]
            published = f"{CAM}, 2.1 and 3.1: GMP marks one discriminative part, GAP the extent and localises better"
            rows.append(
                [
                    f"Boxes of GAP are better than those of {NAMES[other]} ({maps})",
                    published if other == "max" else OURS,
                    f"V2 {shown(gap)} against {shown(rest)}" if shared else OPEN,
                    seeds([a for a, _ in shared]),
                    "higher V2 with the same seed",
                    verdict(judged, lambda result: bool(result["better"])),
                ]
            )
    gaps = of(results, "all", "mean")
    beats = Claim(
        "GAP's boxes beat a constant box",
        OURS,
        {"τ = .2 less the constant box": "boxes/evidence/over_constant"},
        "interval above 0",
        above("boxes/evidence/over_constant/low", 0.0),
    )
    return table(HEAD, [*rows, beats.row(gaps)])


def strides(results: Results) -> str:
    """Make the table of coarser grids."""
    rows = []
    for stride, cells in ((8, "12 × 12"), (16, "6 × 6"), (32, "3 × 3")):
        own = of(results, "all", "mean", stride)
        figures = ("map_of_image", "fallback", "recovery", "chance", "false_alarm", "auroc_covered", "auroc_fallback")
        judged = {r["figures"]["boxes"]["evidence"]["judgement"] for r in own}
        reach = shown(at(r, "boxes/evidence/reach") for r in own)
        cells_of = [shown(at(r, f"cells/{name}") for r in own) for name in figures]
        rows.append([cells, seeds(own), *cells_of, reach, ", ".join(sorted(judged)) or OPEN])
    head = [
        "grid",
        "seeds",
        "mAP",
        "smaller than a cell",
        "recovery",
        "chance",
        "false alarm",
        "AUROC",
        "AUROC, smaller",
    ]
    return table([*head, "reach of boxes", "boxes"], rows)


def cues(results: Results) -> str:
    """Make the table of planted cues."""
    states = [f"{s}, {c}" for s in ("shape", "no shape") for c in ("cue", "no cue")]
    rows = []
    for cued in ("mark:star", "colour:heart"):
        cue, shape = cued.split(":")
        for strength in STRENGTHS:
            own = of(results, "all", "mean", strength=strength)
            paths = [f"cues/{cued}/yes/{state}" for state in states]
            on = [f"cues/{cued}/energy on object, {c}" for c in ("cue", "no cue")]
            mark = [f"cues/{cued}/{what} on mark, cue" for what in ("energy", "area")] if cue == "mark" else []
            figures = [shown(at(r, path) for r in own) for path in (*paths, *on, *mark)]
            rows.append([f"{cue} of {shape}", number(strength), seeds(own), *figures, *["–"] * (2 - len(mark))])
    head = ["cue", "strength", "seeds", *(f"yes: {state}" for state in states)]
    shares = ["on object, cue", "on object, no cue", "on mark", "area of mark"]
    return table([*head, *shares], rows)


def photographs(file: Path) -> str:
    """Make the table of real photographs."""
    if not file.is_file():
        return f"Photographs: {OPEN}."
    stored = read_json(file, kind="bincam-experiment-photographs", schema=1)
    columns = {
        "answer is the object": "answered",
        "recovery": "recovery",
        "chance": "chance",
        "wrong label": "wrong_label",
        "recovery where the answer is another": "recovery_where_not_answered",
        "its chance": "chance_where_not_answered",
        "its wrong label": "wrong_label_where_not_answered",
        "cell AUROC": "auroc",
    }
    rows = []
    for title in ("alone", "in pairs"):
        found = stored[title]
        figures = [shown([found[name]["value"]]) for name in columns.values()]
        rows.append([title, str(found["recovery"]["pairs"]), str(found["recovery"]["images"]), *figures])
    return table(["photographs", "objects", "of photographs", *columns], rows)


def document(results: Results, out: Path) -> str:
    """Make all tables."""
    listed = jobs()
    kinds = {result["training"]["dtype"] for result in results.values()}
    spent = sum(result["training"]["cpu_s"] + result["measuring"]["cpu_s"] for result in results.values())
    single, gap = of(results, "one", "mean"), of(results, "all", "mean")
    parts = [
        "# Scenes: tables",
        f"{len(results)} of {len(listed)} trainings are finished ({spent / 60:.0f} minutes of processor time"
        f"{', ' + ' and '.join(sorted(kinds)) if kinds else ''}). Made by `tables.py`; do not edit.",
        "## 1. One label per image",
        claims(SINGLE, single),
        learning(single),
        "## 2. What a mean loses with size",
        claims(DILUTION, gap),
        "Misses of trained poolings at thresholds that say yes as often as is true of validation, at the sizes of "
        "training; of others, as often as the mean does there.",
        sizes(results),
        "## 3. GAP, GMP and LSE as localisers",
        localisers(results),
        "One τ for all shapes, the shape known. *evidence* is what the logit is made of, *cells* the head applied to "
        "every cell.",
        boxes(results),
        "### Coarser grids",
        strides(results),
        "## 4. Faces",
        f"Recovery among errors of balanced and unbalanced models: {OPEN}.",
        "## 5. Planted shortcuts",
        "On scenes in which cue and shape are independent: how often *yes* is said, and the share of the evidence.",
        cues(results),
        "## 6. Photographs",
        photographs(out / "photographs.json"),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=Path, default=HERE / "jobs", help="folder of the JSON files")
    parser.add_argument("--out", type=Path, default=HERE / "tables.md")
    options = parser.parse_args()
    text = document(collected(options.jobs, jobs(), Sample()), HERE)
    with atomic(options.out) as part:
        part.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
