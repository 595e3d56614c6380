"""Provenance of results: versions of packages, and digests of models, images, regions and settings."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from bincam._version import __version__
from bincam.data import AttributeTable, Regions
from bincam.data.containers.address import read_bytes
from bincam.errors import InputError
from bincam.models import AttributeClassifier

Purpose = Literal["audit", "training"]
_BOTH: tuple[Purpose, ...] = ("audit", "training")
_PACKAGES: Mapping[str, tuple[Purpose, ...]] = {
    "torch": _BOTH,
    "timm": _BOTH,
    "accelerate": ("training",),
    "grad-cam": ("audit",),
    "numpy": _BOTH,
    "scipy": ("audit",),
    "pandas": ("audit",),
    "pyarrow": ("audit",),
    "scikit-learn": ("audit",),
    "statsmodels": ("audit",),
    "albumentations": _BOTH,
    "opencv-python-headless": _BOTH,
    "safetensors": ("audit",),
    "pydantic": ("training",),
}
"""Packages that results depend on, and the kinds of results that do."""
# The five landmarks in CelebA's crop, on a unit square. Any face serves, if it is always the same.
_FACE = np.array([[0.41, 0.45], [0.59, 0.45], [0.5, 0.55], [0.43, 0.63], [0.57, 0.63]])


def versions(purpose: Purpose = "audit") -> dict[str, str]:
    """List the versions of Python and of the installed packages that results depend on.

    Args:
        purpose: ``audit``, or ``training``, which includes bincam's own version; an audit's manifest has a separate key
            for it.

    >>> import numpy
    >>> versions()["numpy"] == numpy.__version__
    True
    """
    installed = {"python": platform.python_version()}
    if purpose == "training":
        installed["bincam"] = __version__
    for name, purposes in _PACKAGES.items():
        if purpose in purposes:
            try:
                installed[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
    return installed


def model_digest(model: AttributeClassifier) -> str:
    """Compute the SHA-256 of a model's card and of its weights, name by name."""
    state = hashlib.sha256(json.dumps(model.card.model_dump(mode="json"), sort_keys=True).encode())
    network: nn.Module = model.network
    for name, tensor in sorted(network.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        state.update(f"{name}:{values.dtype}:{tuple(values.shape)}:".encode())
        content = (
            values.reshape(-1).view(torch.uint8).numpy().tobytes() if values.ndim else repr(values.item()).encode()
        )
        state.update(content)
    return state.hexdigest()


def images_hash(table: AttributeTable) -> str:
    """Compute the SHA-256 of the names and files of all images, in order; unreadable files count as equal."""
    state = hashlib.sha256()
    for row, name in enumerate(table.ids):
        try:
            content = hashlib.sha256(read_bytes(table.path(row))).digest()
        except (OSError, InputError):
            content = b"unreadable"
        state.update(name.encode() + b"\0" + content)
    return state.hexdigest()


def regions_digest(regions: Regions, names: Sequence[str]) -> str:
    """Compute the SHA-256 of the attributes' masks for a fixed face, or of the names and sizes of stored masks."""
    state = hashlib.sha256()
    if regions.per_image:
        folder = Path(regions.source)
        if folder.is_file():
            return hashlib.sha256(folder.read_bytes()).hexdigest()
        if (described := folder.parent / "parts.json").is_file():
            state.update(described.read_bytes())
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            state.update(f"{file.relative_to(folder)}:{file.stat().st_size}\n".encode())
        return state.hexdigest()
    for name, mask in _drawn(regions, names):
        state.update(name.encode() + (b"-" if mask is None else mask))
    return state.hexdigest()


def region_digests(regions: Regions, names: Sequence[str]) -> dict[str, str] | None:
    """Compute a digest of the region of each attribute for a fixed face, so that audits of other attributes compare.

    Returns:
        Of every attribute that has a region, the first 16 digits of its mask's SHA-256; None for masks stored per
        image, which are known by their files alone.

    >>> from bincam.data import Regions
    >>> published = region_digests(Regions.published(), ["Bald", "Smiling", "Young"])
    >>> region_digests(Regions.published(), ["Smiling"]) == {"Smiling": published["Smiling"]}
    True
    """
    if regions.per_image:
        return None
    return {name: hashlib.sha256(mask).hexdigest()[:16] for name, mask in _drawn(regions, names) if mask is not None}


def _drawn(regions: Regions, names: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
    """The bits of the attributes' masks for a fixed face."""
    side = 224
    for name, mask in zip(names, regions.masks(names, (side, side), landmarks=_FACE * side), strict=True):
        yield name, None if mask is None else np.packbits(mask).tobytes()


def settings_digest(manifest: Mapping[str, Any]) -> str:
    """Compute the SHA-256 of a manifest without this digest: audits with equal digests have equal settings and inputs.

    >>> settings_digest({"seed": 0}) == settings_digest({"seed": 0, "settings_digest": "..."})
    True
    """
    rest = {name: value for name, value in manifest.items() if name != "settings_digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
