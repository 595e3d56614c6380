"""The study: maps of all pairs, kept shard by shard as they are made, and scored at the end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bincam.errors import InputError
from bincam.files import atomic
from bincam.metrics.counterfactual.changes import LEAST
from bincam.metrics.perturbation.rise import MASKS
from bincam.models import AttributeClassifier
from bincam.progress import track
from bincam.provenance import model_digest, versions
from bincam.studies.counterfactual.loaded_pairs import TAU, load_pairs
from bincam.studies.counterfactual.pair_maps import BRIGHTNESS, OCCLUSION, WITHOUT_GRID, MapSource, check_specs
from bincam.studies.counterfactual.pair_table import PairTable
from bincam.studies.counterfactual.shards import PairShard
from bincam.studies.counterfactual.summary import summarise
from bincam.studies.folder import StudyFolder

NAME = "truth"
SHARD = 64
"""Pairs that are kept together: an interrupted study repeats no more than these."""


@dataclass(frozen=True)
class TruthSettings:
    """What is computed.

    Attributes:
        methods: Kinds of maps: ``METHOD`` or ``METHOD@LAYER``, and on the grid of the first method the references
            ``occlusion`` and ``rise`` and the control ``brightness``, a map that has seen no model.
        least: Smallest |Δz| of a pair that is judged, in logit units.
        tau: Of pairs without a mask, levels of 255 by which an edited pixel differs.
        masks: Random masks of RISE.
        seed: Of these masks, and of the choice of other pairs for nulls.
        batch_size: Images per forward pass.

    Example:
        >>> from bincam.studies.counterfactual import TruthSettings
        >>> TruthSettings(methods=("grad_cam", "rise"), masks=200).methods
        ('grad_cam', 'rise')
    """

    methods: tuple[str, ...] = ("grad_cam", OCCLUSION, BRIGHTNESS)
    least: float = LEAST
    tau: int = TAU
    masks: int = MASKS
    seed: int = 0
    batch_size: int = 32

    def check(self) -> TruthSettings:
        """Return the settings.

        Raises:
            InputError: One is out of range.
        """
        check_specs(self.methods)
        if not (np.isfinite(self.least) and self.least > 0):
            raise InputError(f"least={self.least:g}; a change that is judged is larger than 0 logit units")
        if not 0 <= self.tau <= 255:
            raise InputError(f"tau={self.tau}; expected levels between 0 and 255")
        if self.masks < 2 or self.batch_size < 1:
            raise InputError(f"masks={self.masks}, batch_size={self.batch_size}; expected at least 2 masks and 1 image")
        return self


def run_truth(
    model: AttributeClassifier,
    table: PairTable,
    out: str | os.PathLike[str],
    settings: TruthSettings | None = None,
    *,
    resume: bool = False,
) -> StudyFolder:
    """Measure on pairs how much of the known change of the logit maps hold, and where.

    Args:
        model: The classifier.
        table: The pairs, see ``read_pairs``.
        out: Folder of the study, new or empty.
        settings: What is computed.
        resume: Go on with an interrupted study; a finished one of the same model, pairs and settings is opened as it
            is.

    Returns:
        The study; ``summary`` has the scores, see ``summarise``.

    Raises:
        InputError: A setting is out of range, an attribute is no output of the model, a file is missing or does not
            fit its pair, or the folder contains something else.
        UnsupportedError: A method cannot answer for one attribute and the positive class.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from bincam import faces, models
        >>> from bincam.faces.counterfactuals.writer import write_pairs
        >>> from bincam.studies.counterfactual import read_pairs, run_truth
        >>> model = models.build("resnet10t", ["Smiling", "Bald"], input_size=(64, 64))
        >>> with TemporaryDirectory() as folder:
        ...     _ = write_pairs(f"{folder}/pairs", ["Smiling"], 2, size=(64, 80))
        ...     study = run_truth(model, read_pairs(f"{folder}/pairs/pairs.csv"), f"{folder}/truth")
        ...     score = study.summary["methods"]["grad_cam"]["all"]
        >>> score["pairs"] == score["judged"] + score["still"] == 2
        True
    """
    chosen = (settings or TruthSettings()).check()
    known = model.card.attributes
    unknown = [name for name in table.attributes if name not in known]
    if unknown:
        raise InputError(f"{table.source}: the model has no output {unknown[0]!r}")
    digest = table.digest()  # all files are there
    sources = _sources(model, table, chosen)
    stated = {**asdict(chosen), "methods": list(chosen.methods), "model": model_digest(model), "pairs": digest}
    study = StudyFolder.begin(out, NAME, stated, resume=resume)
    if not study.finished:
        _measure(table, sources, chosen, study.folder)
        shards = [PairShard.read(file) for file in _files(table, study.folder)]
        content = summarise(PairShard.joined(shards), table, chosen.methods, least=chosen.least, seed=chosen.seed)
        passes = {source.spec: source.passes for source in sources}
        for spec, entry in content["methods"].items():
            entry["passes"] = passes[spec]
        study.write_summary({"versions": versions(), **stated, **content})
    return study


def _sources(model: AttributeClassifier, table: PairTable, settings: TruthSettings) -> list[MapSource]:
    """Make the kinds of maps, and try each on the first pair, before anything is written."""
    first = table.pairs[:1]
    loaded = load_pairs(first, model.card, tau=settings.tau)
    plain = MapSource(model, "", masks=settings.masks, seed=settings.seed, batch_size=settings.batch_size)
    sources = [replace(plain, spec=spec) for spec in settings.methods]
    grid: tuple[int, int] | None = None
    for source in sources:
        if source.spec not in WITHOUT_GRID:
            shape = source.of(loaded, [first[0].attribute]).before.shape
            grid = grid or (shape[1], shape[2])
    for source in sources:
        if source.spec in WITHOUT_GRID:
            source.grid = grid
    return sources


def _files(table: PairTable, folder: Path) -> list[Path]:
    return [folder / f"pairs-{number:05d}.npz" for number in range(-(-len(table.pairs) // SHARD))]


def _measure(table: PairTable, sources: Sequence[MapSource], settings: TruthSettings, folder: Path) -> None:
    """Compute what is not on disk yet."""
    files = _files(table, folder)
    missing = [(number, file) for number, file in enumerate(files) if not file.is_file()]
    rows = {number: table.pairs[number * SHARD : (number + 1) * SHARD] for number, _ in missing}
    steps = [(number, file) for number, file in missing]
    for number, file in track(steps, "truth", unit="shards"):
        pairs = rows[number]
        names = [pair.attribute for pair in pairs]
        loaded = load_pairs(pairs, sources[0].model.card, tau=settings.tau)
        columns = np.array([sources[0].model.card.attributes.index(name) for name in names])
        maps = {source.spec: source.of(loaded, names) for source in sources}
        logits = [sources[0].logits(images) for images in (loaded.originals, loaded.edited, loaded.composites)]
        logits[0] = logits[0][loaded.original]
        z: Any = np.stack([of_images.numpy()[np.arange(len(names)), columns] for of_images in logits], 1)
        with atomic(file) as part:
            PairShard(z, loaded.masks, maps).write(part)
