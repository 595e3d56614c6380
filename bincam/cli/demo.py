"""``bincam demo``: every step from an imbalanced data set to the report on what the imbalance did."""

from __future__ import annotations

import json
import math
import os
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from bincam.cli.reading.option_groups import LARGEST_SEED
from bincam.errors import InputError
from bincam.progress import Course, in_words

if TYPE_CHECKING:
    from bincam.audit import Settings
    from bincam.data import AttributeTable

OUT, QUICK_OUT = Path("reports/demo"), Path("reports/demo-quick")
ARMS = ("unbalanced", "balanced")
PROCESSES = min(2, os.cpu_count() or 1)
INFLUENCE = ("Eyeglasses", "Smiling", "Wearing_Hat", "Bald", "Mustache", "Wearing_Lipstick")
METHODS = ("grad_cam", "grad_cam@pre_activation")
"""The second uses the layer of the source paper. HiResCAM equals the first at either layer, as the head is exact."""


@dataclass(frozen=True)
class Preset:
    """Steps of the demo for one kind of data set.

    Attributes:
        train: Keys of a training configuration, except ``data.source``, ``out`` and ``seed``.
        regions: As for ``bincam audit --regions``.
        methods: ``NAME`` or ``NAME@LAYER``; the report draws the first.
        count: Faces to generate: about 80 % of them for training, 10 % for the test split.
        size: (W, H) of generated faces in pixels.
        influence_images: Test images with influence masks, each of which takes two renderings.
        gate_images: Images for the randomisation test of the maps, as for ``bincam audit``.
        seconds: What the four steps take on two cores (``experiments/bench/demo-faces.json``), for the estimate of what
            is left; None where that depends on the data.
    """

    train: dict[str, Any]
    regions: str
    methods: tuple[str, ...] = METHODS
    count: int = 5200
    size: tuple[int, int] = (96, 118)
    influence_images: int = 100
    gate_images: int = 64
    seconds: tuple[int, ...] | None = None


_FROM_SCRATCH = {
    "model": {"name": "resnet10t", "options": {"output_stride": 16}},
    "optimizer": {"name": "adamw", "lr": 3e-3},
    "schedule": {"name": "cosine", "warmup_epochs": 0.5},
    "epochs": 4,
    "batch_size": 64,
}
PRESETS = {
    "faces": Preset(
        {
            **_FROM_SCRATCH,
            "data": {"size": 80, "fit": "face", "augmentation": "flip", "memory": True},
            "precision": "auto",
        },
        "auto",
        seconds=(84, 199, 30, 22),
    ),
    "orl": Preset(
        {
            "model": {"name": "tf_efficientnet_lite0", "pretrained": "lite0", "freeze_batchnorm": True},
            "data": {"size": 128, "fit": "stretch", "augmentation": "flip", "memory": True},
            "optimizer": {"name": "adamw", "lr": 3e-4},
            "schedule": {"name": "cosine", "warmup_epochs": 1},
            "epochs": 8,
            "batch_size": 32,
        },
        "orl",
    ),
    "other": Preset(
        {**_FROM_SCRATCH, "data": {"size": 128, "augmentation": "flip"}, "epochs": 8},
        "auto",
    ),
}
"""Small networks that two CPU cores train in minutes; they demonstrate the steps and are not good models."""
_FACES = PRESETS["faces"]
QUICK = replace(
    _FACES,
    train=_FACES.train
    | {
        "data": _FACES.train["data"] | {"size": 64, "attributes": [*INFLUENCE, "Male", "Young", "No_Beard"]},
        "model": {"name": "resnet10t", "options": {"output_stride": 16, "channels": [32, 64, 128, 256]}},
        "epochs": 2,
    },
    count=640,
    size=(64, 78),
    influence_images=10,
    gate_images=20,
    seconds=(17, 21, 17, 14),
)
"""Every step with few small faces and nine attributes, in about a minute; its networks have learned little."""


def demo(
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder for data, models, audits and the report.",
            show_default=f"{OUT}, or {QUICK_OUT}",
        ),
    ] = None,
    data: Annotated[
        str, typer.Option(help="faces (generated), orl (photographs), or a data set; of tables, data.yaml states how.")
    ] = "faces",
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Every step with few small faces and nine attributes, in about a minute; the models have "
            "learned little, and the report shows what it looks like rather than a result.",
        ),
    ] = False,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=LARGEST_SEED, help="Seed of the faces, the initial weights and the order of training images."
        ),
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the path of the report and the findings as JSON.")
    ] = False,
) -> None:
    """Train a balanced and an unbalanced model, audit both, and write a report that compares them.

    The faces are generated with CelebA's prevalences, so nothing is downloaded. After an interruption, run the same
    command again to resume.
    """
    from bincam.cli.reading.source import prepare

    if quick and data != "faces":
        raise InputError(f"--quick is of generated faces, not of --data {data}; leave out one of the two")
    prepare()
    preset = QUICK if quick else PRESETS.get(data, PRESETS["other"])
    try:
        report, findings = carry_out(out or (QUICK_OUT if quick else OUT), data, seed, preset)
    except KeyboardInterrupt:
        typer.echo("bincam: interrupted; run the same command again to resume", err=True)
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps({"report": str(report), "findings": findings}, ensure_ascii=False))
        return
    for finding in findings:
        typer.echo(f"- {finding}")
    typer.echo(f"Report: {report}")


def carry_out(out: Path, data: str, seed: int, preset: Preset) -> tuple[Path, list[str]]:
    """Carry out every step that is not done yet.

    Args:
        out: Folder for ``faces/`` (where they are generated), ``models/``, ``audits/``, ``contrast/`` and
            ``report.html``.
        data: ``faces``, or a source for ``bincam.data.load``.
        seed: Seed of every step.
        preset: Settings of the steps.

    Returns:
        The path of the report, and the main findings.

    Raises:
        InputError: ``out`` was made with another data set or seed, or the data set cannot be used.
    """
    from bincam.data import load

    table = None if data == "faces" else load(data)  # before the folder is marked: a misspelt name leaves nothing
    _claim(out, {"data": data, "seed": seed} | ({"quick": True} if preset is QUICK else {}))
    with _Steps(preset.seconds) as steps:
        return _carry_out(out, data, table, seed, preset, steps)


def _carry_out(
    out: Path, data: str, table: AttributeTable | None, seed: int, preset: Preset, steps: _Steps
) -> tuple[Path, list[str]]:
    from bincam import audit, faces, report
    from bincam.beside import Beside
    from bincam.compare.contrast import compare
    from bincam.data import load, load_regions
    from bincam.progress import track
    from bincam.train import fit_pair
    from bincam.train.configuration.config import make_config

    source = data
    if table is None:
        steps.begin("1/4 Generating faces with CelebA's prevalences, and their exact masks")
        source = str(out / "faces")
        masks = preset.influence_images
        faces.make(source, preset.count, seed, size=preset.size, influence=INFLUENCE, influence_images=masks)
        table = load(source)
    steps.begin("2/4 Training two models that differ only in the class weights")
    with Beside(len(ARMS)) if PROCESSES > 1 else nullcontext() as beside:
        values = preset.train | {"data": preset.train["data"] | {"source": source}}
        config = make_config(values | {"out": str(out / "models"), "seed": seed}, source="demo")
        fit_pair(config, resume=True, beside=beside)
        steps.begin("3/4 Auditing both models on the test images")
        regions: Any = preset.regions if preset.regions == "auto" else load_regions(preset.regions, source)
        settings = audit.Settings(methods=preset.methods, regions=regions, gate_images=preset.gate_images)
        jobs = {arm: (out / "models" / arm, table, out / "audits" / arm, settings) for arm in ARMS}
        if beside is None:
            for job in jobs.values():
                _audit(*job)
        else:
            beside.at_once(_audit, jobs)
    steps.begin("4/4 Contrast and report")
    unbalanced, balanced = (audit.open_audit(out / "audits" / arm) for arm in ARMS)
    contrast = compare(unbalanced, balanced, out / "contrast")
    page = out / "report.html"
    report.write_report(
        out / "contrast", page, track=lambda names: track(names, "report", unit="attributes"), workers=PROCESSES
    )
    return page, contrast["findings"]


def _audit(model: Path, table: AttributeTable, out: Path, settings: Settings) -> None:
    from bincam import audit

    audit.run(model, table, out, settings, resume=True)


def _claim(out: Path, settings: dict[str, Any]) -> None:
    """Mark a folder as this demo's, or check that it already is."""
    from bincam.files import read_json, write_json

    file = out / "demo.json"
    if not file.is_file():
        if out.is_dir() and any(out.iterdir()):
            raise InputError(f"--out {out}: the folder is not empty and not a demo's; choose a new folder")
        write_json(file, {"kind": "bincam-demo", "schema": 1, **settings})
        return
    made = read_json(file, kind="bincam-demo", schema=1)
    other = [f"{key} {made.get(key)!r}, not {value!r}" for key, value in settings.items() if made.get(key) != value]
    if other:
        raise InputError(f"--out {out}: contains a demo with {'; '.join(other)}; choose a new folder")


class _Steps:
    """Headings of the steps on stderr, with an estimate of what is left of all of them where that is known."""

    def __init__(self, expected: tuple[int, ...] | None) -> None:
        self._expected = expected
        self._count = 0
        self._course = None if expected is None else Course({str(step): s for step, s in enumerate(expected)})

    def __enter__(self) -> Self:
        if self._course is not None:
            self._course.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._course is not None:
            self._course.__exit__(*error)

    def begin(self, heading: str) -> None:
        typer.echo(heading, err=True)
        first, self._count = self._count == 0, self._count + 1
        if self._course is None or self._expected is None:
            return
        self._course.begin(str(self._count - 1))
        if first:
            typer.echo(f"    about {in_words(sum(self._expected))} in all on two cores that are not busy", err=True)
        elif not math.isnan(left := self._course.left()):
            typer.echo(f"    about {in_words(left)} left", err=True)
