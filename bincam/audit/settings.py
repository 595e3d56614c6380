"""What a user may choose about an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bincam.cam import Side
from bincam.cam.engine import Precision
from bincam.data import Regions
from bincam.data.dataset import OnError

RegionsChoice = Regions | Literal["auto"] | None
BATCH_SIZE = {"cpu": 8, "cuda": 64}
"""Images per forward pass where nobody says. More than 8 are slower on a CPU: activations beyond some 32 MiB are given
back to the system after every layer, and fetched from it anew."""


@dataclass(frozen=True)
class Settings:
    """What a user chooses.

    Attributes:
        split: Of the data; None audits every image.
        attributes: Which to audit; None for all that model and data share.
        methods: Specs, ``NAME`` or ``NAME@LAYER``; the first is the primary one.
        side: Which class is explained.
        threshold: In logit units, by attribute; the card's, else 0, for the rest.
        regions: Where evidence is expected. ``auto``: the published cells for a model of face crops, else the ORL
            regions for the ORL photographs, else face regions where the data has landmarks, else none.
        object_masks: Folder with object masks; ``auto`` takes the data's own ``masks/parts``; None for none.
        influence_masks: Folder with influence masks; ``auto`` takes ``masks/influence``.
        groups: Columns of the data that are kept to slice results by; None keeps all.
        slice_by: Group columns or attributes to slice by; None takes the kept groups, Male and Young.
        limit: Audit a stratified subset of so many images.
        sample: Deletion, insertion and ROAD on so many of the images, a stratified draw: some twenty forward passes
            for each image, attribute and method. 0 for none.
        gate_images: The model-parameter randomisation gate on so many: some ten forward passes for each image and
            method. 0 for none, one is too few.
        reference_split: Of the data, for the fitted references; ``auto``: validation, else training; None fits none.
        reference_limit: A stratified subset of so many images is enough.
        seed: Of both subsets.
        batch_size: Images per forward pass; None for ``BATCH_SIZE`` of the device.
        shard_images: Images per file of records, rounded up to whole batches, so that a resumed run has the same ones.
        workers: Processes that read.
        device: Where the model runs.
        precision: ``fp32`` or ``bf16``.
        on_error: ``raise`` on an image that cannot be read, or ``skip`` and count it.
    """

    split: str | None = "test"
    attributes: Sequence[str] | None = None
    methods: Sequence[str] = ("grad_cam",)
    side: Side = "predicted"
    threshold: Mapping[str, float] = field(default_factory=dict)
    regions: RegionsChoice = "auto"
    object_masks: Path | Literal["auto"] | None = "auto"
    influence_masks: Path | Literal["auto"] | None = "auto"
    groups: Sequence[str] | None = None
    slice_by: Sequence[str] | None = None
    limit: int | None = None
    sample: int = 0
    gate_images: int = 8
    reference_split: str | None = "auto"
    reference_limit: int = 2048
    seed: int = 0
    batch_size: int | None = None
    shard_images: int = 256
    workers: int = 0
    device: str = "cpu"
    precision: Precision = "fp32"
    on_error: OnError = "raise"
