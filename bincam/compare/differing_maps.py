"""Mean maps of one model minus those of another, by group of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.stored import write_tensors
from bincam.compare.pairs.paired import Paired
from bincam.stats.outcomes import MEMBERS, OUTCOMES

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

DIFFERENCE = "maps/difference.safetensors"

MAP_GROUPS = (
    *(f"outcome:{name}" for name in OUTCOMES),
    *(f"{kind}:{part}" for kind in ("predicted", "true") for part in ("positive", "negative")),
)
"""Groups of images whose mean maps are subtracted, in the order of the tensor's second axis."""


def difference_maps(first: Audit, second: Audit, pair: Paired, file: Path) -> dict[str, Any]:
    """Write the mean σS of the first model minus that of the second, by group of images.

    Args:
        first: The first audit.
        second: The second audit.
        pair: The attributes and methods that both have.
        file: The file to write: ``METHOD.difference`` ``(A, G, h, w)`` float32, NaN where a group is empty for a model,
            and ``METHOD.scale`` ``(A,)``, the largest absolute difference of an attribute, to draw all its groups on
            one scale.

    Returns:
        ``file``, ``groups``, ``methods``, and ``left_out``: methods whose grids differ, with the reason.
    """
    member = np.array([[name in MEMBERS[group] for name in OUTCOMES] for group in MAP_GROUPS], float)  # (G, 4)
    tensors: dict[str, NDArray[np.float32]] = {}
    left_out: dict[str, str] = {}
    for method in pair.methods if pair.attributes else ():
        means = []
        for audit in (first, second):
            order = [audit.attributes.index(name) for name in pair.attributes]
            sums, counts = (tensor[order] for tensor in audit.means(method))
            with np.errstate(invalid="ignore", divide="ignore"):
                grouped = np.einsum("go,aohw->aghw", member, sums)
                means.append(grouped / np.einsum("go,ao->ag", member, counts)[..., None, None])
        if means[0].shape != means[1].shape:
            grids = [f"{mean.shape[2]} x {mean.shape[3]}" for mean in means]
            left_out[method] = f"grids of {grids[0]} and {grids[1]} cells cannot be subtracted"
            continue
        difference = np.where(np.isfinite(means[0]) & np.isfinite(means[1]), means[0] - means[1], np.nan)
        tensors[f"{method}.difference"] = difference.astype(np.float32)
        largest = np.nan_to_num(np.abs(difference)).reshape(len(difference), -1).max(1)
        tensors[f"{method}.scale"] = largest.astype(np.float32)
    if tensors:
        write_tensors(file, tensors)
    return {
        "file": DIFFERENCE if tensors else None,
        "groups": list(MAP_GROUPS),
        "methods": [name for name in pair.methods if name not in left_out],
        "left_out": left_out,
    }
