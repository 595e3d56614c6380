"""What went into an audit, as digests: the model, the images, the regions, the versions."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bincam.data import AttributeTable, Regions
from bincam.models import AttributeClassifier

_PACKAGES = (
    "torch",
    "timm",
    "grad-cam",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "statsmodels",
    "albumentations",
    "opencv-python-headless",
    "safetensors",
)
# Where CelebA's crop puts the five points, on a unit square: any face would do, it only has to be always the same.
_FACE = np.array([[0.41, 0.45], [0.59, 0.45], [0.5, 0.55], [0.43, 0.63], [0.57, 0.63]])


def versions() -> dict[str, str]:
    """Of python and of what computes: package to version."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def model_digest(model: AttributeClassifier) -> str:
    """SHA-256 of a model's card and of its weights, name by name."""
    state = hashlib.sha256(json.dumps(model.card.model_dump(mode="json"), sort_keys=True).encode())
    network: nn.Module = model.network
    for name, tensor in sorted(network.state_dict().items()):
        held = tensor.detach().cpu().contiguous()
        state.update(f"{name}:{held.dtype}:{tuple(held.shape)}:".encode())
        state.update(held.reshape(-1).view(torch.uint8).numpy().tobytes() if held.ndim else repr(held.item()).encode())
    return state.hexdigest()


def images_hash(table: AttributeTable) -> str:
    """SHA-256 of the names and files of all images, in order; a file that cannot be read counts as such."""
    state = hashlib.sha256()
    for row, name in enumerate(table.ids):
        try:
            content = hashlib.sha256(table.path(row).read_bytes()).digest()
        except OSError:
            content = b"unreadable"
        state.update(name.encode() + b"\0" + content)
    return state.hexdigest()


def regions_digest(regions: Regions, names: Sequence[str]) -> str:
    """SHA-256 of the attributes' masks: drawn for one face, or the names and sizes of the stored ones."""
    state = hashlib.sha256()
    if regions.per_image:
        folder = Path(regions.source)
        if (described := folder.parent / "parts.json").is_file():
            state.update(described.read_bytes())
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            state.update(f"{file.relative_to(folder)}:{file.stat().st_size}\n".encode())
        return state.hexdigest()
    side = 224
    for name, mask in zip(names, regions.masks(names, (side, side), landmarks=_FACE * side), strict=True):
        state.update(name.encode() + (b"-" if mask is None else np.packbits(mask).tobytes()))
    return state.hexdigest()


def settings_digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest without this digest: equal digests give equal audits."""
    rest = {name: value for name, value in manifest.items() if name != "settings_digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
