"""Tables of the finished jobs: ``tables.md``.

PYTHONPATH=. python -m experiments.truth.own_maps.tables
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bincam.files import atomic
from bincam.references import MAP_REFERENCES
from experiments.truth.own_maps.campaign import CHOSEN_ON, DEFAULT, METHODS_AND_LAYERS, Job, jobs
from experiments.truth.own_maps.judging import HEADLINE, KEPT, chosen, confirmations
from experiments.truth.own_maps.run import HERE, finished

COLUMNS = {
    "region_excess": "own region",
    "energy": "energy less area",
    "influence": "influence less area",
    "deletion": "deletion ↓",
    "insertion": "insertion ↑",
    "road": "ROAD ↑",
}


def written(estimate: dict[str, Any] | None, *, signed: bool = False) -> str:
    """Write an estimate with its interval; a dash where there is none, a dagger where it is of few images.

    >>> written({"value": 0.123, "low": 0.1, "high": 0.15, "status": "ok"})
    '.123 [.100, .150]'
    >>> written({"value": -0.5, "low": None, "high": None, "status": "small"}, signed=True)
    '-.500†'
    >>> written(None)
    '–'
    """
    if estimate is None or estimate["value"] is None:
        return "–"
    value, *ends = (_number(estimate[name], signed=signed) for name in ("value", "low", "high"))
    few = "†" if estimate["status"] == "small" else ""
    return f"{value}{few} [{ends[0]}, {ends[1]}]" if estimate["low"] is not None else f"{value}{few}"


def _number(value: float | None, *, signed: bool) -> str:
    if value is None:
        return ""
    return f"{value:+.3f}".replace("0.", ".", 1) if signed else f"{value:.3f}".replace("0.", ".", 1)


def read(out: Path) -> dict[Job, dict[str, Any]]:
    """Read the finished jobs."""
    found = {job: finished(job, out) for job in jobs()}
    return {job: stored for job, stored in found.items() if stored is not None}


def rows_of(job: Job, stored: dict[str, Any]) -> list[str]:
    """Write a row for each reference of a job."""
    rows = []
    for name, figures in stored["figures"]["references"].items():
        regions = figures["regions"]
        told = regions["pass"] + regions["fail"]
        cells = [
            f"{job.method}, {job.layer}",
            name,
            *(written(figures.get(column)) for column in COLUMNS),
            f"{regions['pass']} of {told}" if told else "–",
            "–" if figures["likeness"] is None else f"{figures['likeness']:.2f}".lstrip("0"),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def own_share_row(job: Job, stored: dict[str, Any]) -> str:
    """Write the own share of a job's maps, which no fixed reference changes."""
    share = stored["figures"]["references"]["zero"]["own_share"]
    mean, null = (_number(share[name], signed=False) or "–" for name in ("mean", "null"))
    counts = f"{share['pass']} / {share['fail']} / {share['cannot tell']}"
    cells = (f"{job.world}, seed {job.seed}", f"{job.method}, {job.layer}", mean, null, counts)
    return f"| {' | '.join(cells)} |"


def tables(found: dict[Job, dict[str, Any]]) -> str:
    """Make the document."""
    missing = [job.name for job in jobs() if job not in found]
    parts = [
        "# Which maps are the attribute's own?",
        "Made by `python -m experiments.truth.own_maps.tables` from `jobs/`; [README.md](README.md) says what is "
        "measured. Means over pairs of image and attribute that the image has, 95 % intervals clustered by person, † "
        "of few images. Not run yet: " + (", ".join(missing) or "none") + ".",
    ]
    header = ["method, layer", "counted from", *COLUMNS.values(), "regions passed", "likeness"]
    for world, seed in dict.fromkeys((job.world, job.seed) for job in found):
        own = [job for job in found if (job.world, job.seed) == (world, seed)]
        figures = found[own[0]]["figures"]
        parts.append(f"## {world.capitalize()}, seed {seed}\n\n{figures['images']} images.")
        parts.append(_table(header, [row for job in own for row in rows_of(job, found[job])]))
    parts.append("## Own share")
    header = ["network", "method, layer", "own share, mean", "null", "pass / fail / cannot tell"]
    parts.append(_table(header, [own_share_row(job, stored) for job, stored in found.items()]))
    parts += _across(found)
    parts += _differences(found)
    parts += _judgement(found)
    return "\n\n".join(parts) + "\n"


def _table(header: list[str], rows: list[str]) -> str:
    return "\n".join([f"| {' | '.join(header)} |", f"|{'---|' * len(header)}", *rows])


def _across(found: dict[Job, dict[str, Any]]) -> list[str]:
    """The headline of every method and layer from zero, network beside network."""
    networks = list(dict.fromkeys((job.world, job.seed) for job in found))
    at = {(job.method, job.layer, job.world, job.seed): stored for job, stored in found.items()}
    rows = []
    for method, layer in METHODS_AND_LAYERS:
        cells = [f"{method}, {layer}"]
        for network in networks:
            stored = at.get((method, layer, *network))
            figures = None if stored is None else stored["figures"]["references"]["zero"]
            measures = (HEADLINE, "energy")
            cells += ["not run yet" if figures is None else written(figures[measure]) for measure in measures]
        rows.append(f"| {' | '.join(cells)} |")
    named = [f"{world}, seed {seed}: {COLUMNS[m]}" for world, seed in networks for m in (HEADLINE, "energy")]
    return ["## Methods and layers, from zero", _table(["method, layer", *named], rows)] if rows else []


def _differences(found: dict[Job, dict[str, Any]]) -> list[str]:
    """The differences from zero of the default method, of the same pairs."""
    rows = []
    for job, stored in found.items():
        if (job.method, job.layer) != DEFAULT:
            continue
        for name in MAP_REFERENCES[1:]:
            less = stored["figures"]["references"][name]["less_zero"]
            cells = (f"{job.world}, seed {job.seed}", name, *(written(less.get(c), signed=True) for c in COLUMNS))
            rows.append(f"| {' | '.join(cells)} |")
    header = ["network", "counted from", *COLUMNS.values()]
    title = f"## Less what maps from zero have ({', '.join(DEFAULT)})"
    return [title, _table(header, rows)] if rows else []


def _judgement(found: dict[Job, dict[str, Any]]) -> list[str]:
    """What the rule of ``judging`` says."""
    default = {(job.world, job.seed): stored for job, stored in found.items() if (job.method, job.layer) == DEFAULT}
    if CHOSEN_ON not in default:
        return []
    name = chosen(default[CHOSEN_ON]["figures"]["references"])
    lines = [f"Chosen on {CHOSEN_ON[0]}, seed {CHOSEN_ON[1]}: **{name}**."]
    others = {key: stored for key, stored in default.items() if key != CHOSEN_ON}
    if name != "zero":
        said = confirmations(name, [stored["figures"]["references"] for stored in others.values()])
        for (world, seed), one in zip(others, said, strict=True):
            worse = [measure for measure in KEPT if one[measure]]
            better = "better" if one["better"] else "not shown to be better"
            kept = f"worse in {', '.join(worse)}" if worse else f"no worse in {' and '.join(KEPT)}"
            lines.append(f"- {world}, seed {seed}: {COLUMNS[HEADLINE]} {better}, {kept}")
        confirmed = bool(said) and all(one["better"] and not any(one[m] for m in KEPT) for one in said)
        lines.append(f"\nConfirmed on all others: **{'yes' if confirmed else 'no'}**.")
    return ["## The rule", "\n".join(lines)]


def main() -> None:
    with atomic(HERE / "tables.md") as part:
        part.write_text(tables(read(HERE / "jobs")), encoding="utf-8")


if __name__ == "__main__":
    main()
