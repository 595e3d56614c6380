"""The tables of figures and of claims, each of one kind of job."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from bincam.files import read_json
from bincam.scenes.labels.subsets import COUNTS
from experiments.scenes.campaign import LOCALISERS, POOLINGS, SEEDS, STRENGTHS, Job, Sample
from experiments.scenes.claims import (
    BOXES,
    CAM,
    HEAD,
    MIL,
    NOTHING,
    OURS,
    PHOTOGRAPHS,
    SHORTCUT,
    SMALLER,
    Claim,
)
from experiments.scenes.over_seeds import OPEN, Result, at, number, seeds, shown, table, verdict

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
    losses = shown(result["training"]["history"][-1]["loss"] for result in results)
    best = math.fsum(math.log(k) for k in COUNTS) / len(COUNTS)
    return (
        "Validation's top-1 is first present in .8 of the scenes after (processor time of one thread): "
        f"{'; '.join(begun)}. Loss of the last epoch {losses}; without memorised labels it cannot fall below "
        f"{number(best)}, the mean of log k."
    )


def trained(results: Results) -> str:
    """Judge GAP against other poolings on objects that are smaller than in training, seed by seed."""
    rows = []
    for other in (*LOCALISERS[1:], *POOLINGS):
        path = f"{SMALLER}poolings/own/map"
        said, count, better = against_gap(results, other, path, path)
        text = f"A network trained with {NAMES.get(other, other)} ranks smaller objects better than with GAP"
        judged = ["higher mAP at side .14 with the same seed", verdict([not one for one in better])]
        rows.append([text, f"{MIL}: mean aggregation has known limitations", f"mAP, GAP {said}", count, *judged])
    return table(HEAD, rows)


def sizes(results: Results) -> str:
    """Make the table of misses by object size, poolings trained and not."""
    scales = Sample().scales
    sides = [f"misses at side {number(scale)}" for scale in scales]
    of_smaller = ["mAP at .14", "false alarms at .14", "balanced error at .14"]
    head = ["pooling", "trained with it", "seeds", "mAP at .18 to .28", *sides, *of_smaller]
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
    of_smaller = ("map", "false_alarm", "balanced_error")
    smaller = [shown(at(r, f"{SMALLER}poolings/{pooling}/{name}") for r in results) for name in of_smaller]
    ranked = shown(at(r, f"poolings/{pooling}/map") for r in results)
    return [name, trained, seeds(results), ranked, *cells, *smaller]


def cells_by_size(results: Results) -> str:
    """Make the table of the cells of GAP by object size."""
    gap = of(results, "all", "mean")
    names = ("recovery", "chance", "false_alarm", "inside", "outside", "missed", "recovery_of_errors", "recoverable")
    rows = []
    for i, scale in enumerate(Sample().scales):
        poolings = [shown(at(r, f"sweep/{i}/poolings/{name}/map") for r in gap) for name in ("mean", "max", "top_10")]
        cells = [shown(at(r, f"sweep/{i}/cells/{name}") for r in gap) for name in (*names, "fallback")]
        area = shown((at(r, f"sweep/{i}/area") for r in gap), 3)
        rows.append([number(scale), area, seeds(gap), *poolings, *cells])
    head = ["side", "area of an object", "seeds", "mAP, mean", "mAP, max", "mAP, best 10 %", "recovery", "chance"]
    rest = [
        "false alarm",
        "inside",
        "outside",
        "misses, z < 0",
        "recovery of these",
        "less chance",
        "smaller than a cell",
    ]
    return table([*head, *rest], rows)


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


def against_gap(results: Results, pooling: str, path: str, of_gap: str) -> tuple[str, str, list[bool]]:
    """Compare a figure of GAP with that of another pooling, trained with the same seed.

    Returns:
        Both figures, the number of seeds, and for each of them whether GAP's is higher.
    """
    names = [(Job("all", "mean", seed).name, Job("all", pooling, seed).name) for seed in SEEDS]
    shared = [(results[a], results[b]) for a, b in names if a in results and b in results]
    gap, other = [at(a, of_gap) for a, _ in shared], [at(b, path) for _, b in shared]
    said = f"{shown(gap)} against {shown(other)}" if shared else OPEN
    return said, seeds([a for a, _ in shared]), [(x or 0.0) > (y or 0.0) for x, y in zip(gap, other, strict=True)]


def localisers(results: Results) -> str:
    """Judge GAP against GMP and LSE as localisers, seed by seed."""
    rows = []
    for other in LOCALISERS[1:]:
        for maps in ("cells", "evidence"):
            said, count, better = against_gap(results, other, f"boxes/{maps}/known/v2", "boxes/evidence/known/v2")
            published = f"{CAM}, 2.1 and 3.1: GMP marks one discriminative part, GAP the extent and localises better"
            text = f"Boxes of GAP are better than those of {NAMES[other]} ({maps})"
            judged = ["higher V2 with the same seed", verdict(better)]
            rows.append([text, published if other == "max" else OURS, f"V2 {said}", count, *judged])
    gaps = of(results, "all", "mean")
    return table(HEAD, [*rows, *(claim.row(gaps) for claim in BOXES)])


def strides(results: Results) -> str:
    """Make the table of coarser grids."""
    columns = {
        "mAP": "cells/map_of_image",
        "smaller than a cell": "cells/fallback",
        "recovery": "cells/recovery",
        "chance": "cells/chance",
        "false alarm": "cells/false_alarm",
        "inside": "cells/inside",
        "outside": "cells/outside",
        "AUROC": "cells/auroc_covered",
        "AUROC, smaller": "cells/auroc_fallback",
        "IoU of .5 at τ of validation": "boxes/evidence/known/chosen",
        "reach of boxes": "boxes/evidence/reach",
    }
    rows = []
    for stride, cells in ((8, "12 × 12"), (16, "6 × 6"), (32, "3 × 3")):
        own = of(results, "all", "mean", stride)
        judged = {r["figures"]["boxes"]["evidence"]["judgement"] for r in own}
        figures = [shown(at(r, path) for r in own) for path in columns.values()]
        rows.append([cells, seeds(own), *figures, ", ".join(sorted(judged)) or OPEN])
    return table(["grid", "seeds", *columns, "boxes"], rows)


def shortcuts(results: Results) -> str:
    """Judge the claims about the planted mark at each strength."""
    rows = []
    for strength in STRENGTHS:
        own = of(results, "all", "mean", strength=strength)
        for claim in NOTHING if strength == 0.5 else SHORTCUT:
            text, *rest = claim.row(own)
            rows.append([text if strength == 0.5 else f"{text} (strength {number(strength)})", *rest])
    return table(HEAD, rows)


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
            places = ("mark", "near") if cue == "mark" else ()
            mark = [f"cues/{cued}/{what} on {place}, cue" for place in places for what in ("energy", "area")]
            figures = [shown(at(r, path) for r in own) for path in (*paths, *on, *mark)]
            rows.append([f"{cue} of {shape}", number(strength), seeds(own), *figures, *["–"] * (4 - len(mark))])
    head = ["cue", "strength", "seeds", *(f"yes: {state}" for state in states)]
    shares = ["on object, cue", "on object, no cue", "on mark", "area of mark", "near it", "area of that"]
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
    listed = table(["photographs", "objects", "of photographs", *columns], rows)
    judged = [claim.row([{"figures": stored["in pairs"]}]) for claim in PHOTOGRAPHS]
    head = ["claim", "published", "here", "of photographs", "criterion", "verdict"]
    in_pairs = table(head, [[*row[:3], str(stored["photographs"]), *row[4:]] for row in judged])
    return f"In pairs:\n\n{in_pairs}\n\n{listed}"
