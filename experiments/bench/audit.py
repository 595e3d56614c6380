"""Cost of an audit: relative to the plain forward pass, by its parts, and as the number of images grows.

    python experiments/bench/audit.py [--device cuda] [--precision bf16] [--images N] [--only SECTION ...] [--rounds N]
        [--trunk eager folded compiled] [--eager N ...] [--warm N]

writes ``experiments/bench/audit-<device>.json``, one section after another, so that an interrupted run keeps the
finished ones. Generated faces of 178 x 218 pixels with their object masks, 40 attributes, random weights, the AFFACT
crop, one method (Grad-CAM), all five ledgers, the published regions; the default batch size of the device, and one
reading process unless stated otherwise. Several processes measure from 2,048 images on, as in the command.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bincam.heap import keep_freed_memory
from bincam.openmp import bound_spinning

if "--audited" in sys.argv:  # as the command does, before torch is there
    bound_spinning()
    keep_freed_memory()

import numpy as np
import torch
from race import machine, race, ratios, write
from torch import Tensor, nn

import bincam.models
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.pipeline import aggregate, runner
from bincam.audit.pipeline.engines.recipe import AuditRecipe
from bincam.audit.pipeline.measure import ShardBuilder, measure
from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.planning import make_plan
from bincam.audit.pipeline.prepared import compile_trunk, ordered
from bincam.audit.pipeline.shard import ImageStream
from bincam.audit.settings import Settings
from bincam.data import AttributeTable, celeba, loader
from bincam.engines.local_process import LocalProcess
from bincam.engines.parts import pickled
from bincam.faces import make
from bincam.models import AttributeClassifier

HERE = Path(__file__).parent
VALIDATION = 128
EAGER = {"cpu": (8, 32), "cuda": (64, 256)}  # batch sizes of the eager pass that audits are compared with
READERS = {"cpu": (0, 1), "cuda": (1, 4, 14)}  # reading processes
PARTS = {
    "compiling": (runner, "compile_trunk"),
    "references": (runner, "fit_references"),
    "sample": (aggregate, "measure_sample"),
    "summary": (aggregate, "summarise"),
}


def faces(folder: Path, count: int) -> AttributeTable:
    """Generate ``count`` faces to audit, and some for validation; they are made once."""
    root = folder / "faces"
    total = count + VALIDATION
    make(root, total, 0)
    table = celeba(root)
    splits = np.where(np.arange(len(table)) < count, "test", "validation")
    return replace(table, splits=splits)


def repeated(table: AttributeTable, folder: Path, count: int) -> AttributeTable:
    """Repeat the first images under new names, as links to the same files, with their masks."""
    base = table.split("test")
    root = folder / "repeated"
    source = Path(table.source)
    for place in ("img_align_celeba", "masks/parts"):
        (root / place).mkdir(parents=True, exist_ok=True)
    (root / "masks" / "parts.json").write_bytes((source / "masks" / "parts.json").read_bytes())
    rows = np.arange(count) % len(base)
    ids = [f"{n:06d}.jpg" for n in range(count)]
    for row, name in zip(rows.tolist(), ids, strict=True):
        image, mask = Path(base.ids[row]), Path(name).with_suffix(".png")
        _link(root / "img_align_celeba" / name, base.root / image)
        _link(root / "masks" / "parts" / mask, source / "masks" / "parts" / image.with_suffix(".png"))
    return AttributeTable(
        names=base.names,
        labels=base.labels[rows],
        ids=tuple(ids),
        root=root / "img_align_celeba",
        splits=np.full(count, "test"),
        landmarks=None if base.landmarks is None else base.landmarks[rows],
        source=str(root),
    )


def _link(new: Path, old: Path) -> None:
    if not new.exists():
        new.symlink_to(old.resolve())


def classifier(name: str, table: AttributeTable, size: int) -> AttributeClassifier:
    """Build a network with random weights that uses face crops."""
    torch.manual_seed(0)
    built = bincam.models.build(name, table.names, input_size=(size, size))
    card = built.card.model_copy(update={"fit": "face", "train_counts": dict.fromkeys(table.names, (3, 1))})
    return AttributeClassifier(built.network, card).eval()


def in_memory(model: AttributeClassifier, table: AttributeTable) -> Tensor:
    """Return the audited images as timm provides them: contiguous NCHW, normalised."""
    return torch.cat([batch.images for batch in loader(table.split("test"), card=model.card)])


def eager(network: nn.Module, images: Tensor, batch: int) -> Callable[[], None]:
    """Run timm's plain forward pass."""

    def run() -> None:
        with torch.no_grad():
            for part in images.split(batch):
                network(part)

    return run


@contextmanager
def clocks() -> Iterator[dict[str, float]]:
    """Measure the seconds spent in an audit outside of the pass."""
    spent = dict.fromkeys(PARTS, 0.0)
    held = {name: getattr(module, function) for name, (module, function) in PARTS.items()}

    def timed(name: str) -> Callable[..., Any]:
        def run(*given: Any, **options: Any) -> Any:
            begin = time.perf_counter()
            result = held[name](*given, **options)
            spent[name] += time.perf_counter() - begin
            return result

        return run

    for name, (module, function) in PARTS.items():
        setattr(module, function, timed(name))
    try:
        yield spent
    finally:
        for name, (module, function) in PARTS.items():
            setattr(module, function, held[name])


def whole(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Time ResNet-50 at 224 pixels relative to timm's eager forward pass on the same images in memory."""
    table = faces(folder, options.images)
    model = classifier("resnet50", table, 224).to(options.device)
    images = in_memory(model, table).to(options.device)
    parts: dict[str, list[dict[str, float]]] = {trunk: [] for trunk in options.trunk}

    def audit(trunk: str) -> None:
        command = [sys.executable, __file__, "--audited", trunk, "--folder", str(folder)]
        command += ["--images", str(options.images), "--device", options.device, "--precision", options.precision]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        parts[trunk].append(json.loads(done.stdout))

    runners: dict[str, Callable[[], object]] = {
        f"eager, {n} images at a time": eager(model, images, n) for n in options.eager or EAGER[options.device]
    }
    audits = {f"audit, {trunk}": partial(audit, trunk) for trunk in options.trunk}
    seconds = race({**runners, **audits}, options.rounds, options.warm, options.device)
    rest: dict[str, dict[str, float]] = {}
    for trunk in options.trunk:
        spent = parts[trunk][options.warm :]
        seconds[f"audit, {trunk}"] = [each["everything"] for each in spent]  # without the start of Python
        seconds[f"audit pass, {trunk}"] = [each["everything"] - sum(each[name] for name in PARTS) for each in spent]
        rest[trunk] = {name: round(median(each[name] for each in spent), 2) for name in PARTS}
    return {
        "what": "audit pass: plan, digests, reading, forward, maps, ledgers, measures, records, maps and means on "
        "disk, attention overlap, specificity; audit: with the references fitted on 128 more images, the randomisation "
        f"test on {Settings().gate_images} images, the summary, and the time to compile; by the way in which the "
        "network runs below the explained tensor; with processes, spinning and memory as the command has them; eager "
        "as timm runs in fp32 in a plain process",
        "images": len(table.split("test")),
        "over": {name: ratios(seconds, name) for name in runners},
        "seconds": {name: round(median(values), 2) for name, values in seconds.items()},
        "seconds_of_the_rest": rest,
        "images_per_second": {
            name: round(options.images / median(values), 1)
            for name, values in seconds.items()
            if not name.startswith("audit, ")
        },
    }


def audited(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Measure an audit as the command makes it, in this process and those that it starts."""
    table = faces(folder, options.images)
    model = classifier("resnet50", table, 224).to(options.device)
    with clocks() as spent, tempfile.TemporaryDirectory(dir=folder) as out:
        begin = time.perf_counter()
        runner.run(model, table, Path(out) / "audit", _settings(options, trunk=options.audited), engine="auto")
        spent["everything"] = time.perf_counter() - begin
    return spent


def _settings(options: argparse.Namespace, **more: Any) -> Settings:
    return Settings(**{"workers": 1, "device": options.device, "precision": options.precision} | more)


def reading(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Find the bottleneck: time reading alone, all but reading, and the pass, by the number of reading processes."""
    table = faces(folder, options.images)
    model = classifier("resnet50", table, 224)
    found = {}
    for workers in READERS[options.device]:
        plan = make_plan(model, table, _settings(options, workers=workers, gate_images=0, reference_split=None))
        found[str(workers)] = _rates(plan, options, folder)
    return {"what": "images per second by the number of processes that read", "readers": found}


def _rates(plan: Plan, options: argparse.Namespace, folder: Path) -> dict[str, float]:
    count, passes = len(plan.table), []
    began = time.perf_counter()
    batches = list(ImageStream(plan, range(count)).take(range(count)))
    read = time.perf_counter() - began

    def measured() -> None:
        builder = ShardBuilder()
        for batch in batches:
            explained = {spec: e(batch.images, "predicted", batch.labels) for spec, e in plan.explainers.items()}
            columns, maps = measure(explained, batch.labels, batch.rows, batch.also, plan.measure_inputs)
            builder.add(columns, maps, batch.images, batch.also)

    def passed() -> None:
        with clocks() as spent, tempfile.TemporaryDirectory(dir=folder) as out:
            begin = time.perf_counter()
            runner.carry_out(plan, Path(out) / "audit")
            passes.append(time.perf_counter() - begin - spent["summary"])

    alone = race({"measured": measured, "passed": passed}, options.rounds, device=options.device)["measured"]
    seconds = {"reading": read, "everything but reading": median(alone), "pass": median(passes[1:])}
    return {name: round(count / spent, 1) for name, spent in seconds.items()}


def opening(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Time how long the processes of an audit take until they measure, all at once, by the way the network runs."""
    table = faces(folder, options.images)
    model = classifier("resnet50", table, 224)
    found: dict[str, float] = {}
    for trunk in options.trunk:
        settings = _settings(options, trunk=trunk, gate_images=0, reference_split=None, workers=0)
        with tempfile.TemporaryDirectory(dir=folder) as out, ordered(model):
            plan = make_plan(model, table, settings)
            compile_trunk(plan)  # which the manifest states
            writer = AuditWriter.begin(Path(out) / "audit", plan.manifest)
            content = pickled(AuditRecipe.of(plan, writer, writer.missing))
            begin = time.perf_counter()
            processes = [LocalProcess(1) for _ in range(torch.get_num_threads())]
            for process in processes:
                process.open(content)
            for process in processes:
                process.opened()
            found[trunk] = round(time.perf_counter() - begin, 1)
            for process in processes:
                process.end()
    return {"what": "seconds until as many processes as threads are ready; compiled code is in torch's cache", **found}


def growth(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure time and peak memory of the pass as images grow, each in its own process, with a small network."""
    faces(folder, options.images)
    table = {}
    for count in (512, 1024, 2048, 4096):
        command = [sys.executable, __file__, "--grown", str(count), "--folder", str(folder)]
        command += ["--images", str(options.images), "--device", options.device]
        result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        table[str(count)] = json.loads(result.stdout)
    return {"what": "resnet10t at 64 pixels; MiB of the process and of the one that reads", "images": table}


def grown(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Measure one point of ``growth``."""
    table = repeated(faces(folder, options.images), folder, options.grown)
    model = classifier("resnet10t", table, 64)
    plan = make_plan(model, table, _settings(options, gate_images=0, reference_split=None))
    peaks = {}
    summarise = aggregate.summarise

    def noting(*given: Any, **more: Any) -> Any:
        peaks["pass"] = _peak()
        return summarise(*given, **more)

    aggregate.summarise = noting  # type: ignore[assignment]
    with tempfile.TemporaryDirectory(dir=folder) as out, clocks() as spent:
        begin = time.perf_counter()
        runner.carry_out(plan, Path(out) / "audit")
        seconds = time.perf_counter() - begin
    return {
        "pass_seconds": round(seconds - spent["summary"], 2),
        "summary_seconds": round(spent["summary"], 2),
        "pass_peak_mib": peaks["pass"],
        "with_summary_peak_mib": _peak(),
        "reader_peak_mib": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, 1),
    }


def _peak() -> float:
    """Return the peak in MiB; getrusage would report the parent's peak where that is higher."""
    status = Path("/proc/self/status").read_text()
    return round(int(status.split("VmHWM:")[1].split()[0]) / 1024, 1)


def main() -> None:
    """Run the selected sections."""
    sections: dict[str, Callable[[argparse.Namespace, Path], dict[str, Any]]] = {
        "whole": whole,
        "reading": reading,
        "opening": opening,
        "growth": growth,
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm", type=int, default=1, help="Runs before the first round that are not counted.")
    parser.add_argument("--trunk", nargs="*", choices=["eager", "folded", "compiled"], default=["folded", "compiled"])
    parser.add_argument("--eager", nargs="*", type=int, help="Batch sizes of the eager pass.")
    parser.add_argument("--only", nargs="*", choices=list(sections), default=list(sections))
    parser.add_argument("--folder", type=Path, help="Where faces are kept between runs.")
    parser.add_argument("--audited", help=argparse.SUPPRESS)
    parser.add_argument("--grown", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as own:
        folder = options.folder or Path(own)
        if options.audited:
            print(json.dumps(audited(options, folder)))
            return
        if options.grown:
            print(json.dumps(grown(options, folder)))  # read by the process that started this one
            return
        name = options.device if options.precision == "fp32" else f"{options.device}-{options.precision}"
        file = HERE / f"audit-{name}.json"
        result = json.loads(file.read_text()) if file.is_file() else {}
        result["machine"] = machine(options.device)
        for section in options.only:
            result[section] = sections[section](options, folder)
            write(file, result)


if __name__ == "__main__":
    main()
