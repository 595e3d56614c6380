"""Make ``import torchvision`` work where its compiled operators cannot be loaded. Import this before timm or grad-cam.

The torchvision wheel on PyPI is built for CUDA. With a CPU-only torch its extension does not load, and importing
torchvision then fails, because it registers shape functions for two undeclared operators (``nms``, ``qnms``).
Nothing in bincam, timm's classifiers or grad-cam calls them. Importing this module declares the two without an
implementation, and only if they are still missing after loading the extension was tried; calling one raises torch's own
"no kernel" error. Where torch and torchvision match, it changes nothing.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import torch

# Schemas as torchvision's C++ sources declare them.
_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_library: torch.library.Library | None = None  # a Library's declarations live as long as the object does


def declare_missing() -> list[str]:
    """Declare those of torchvision's operators that its own extension did not.

    Returns:
        The names declared now; empty if torchvision is absent, already imported, or complete.
    """
    global _library  # noqa: PLW0603  # this object must outlive the call
    if "torchvision" in sys.modules:
        return []
    spec = importlib.util.find_spec("torchvision")  # finds the folder without running torchvision
    if spec is None or spec.origin is None:
        return []
    extensions = [p for p in Path(spec.origin).parent.glob("_C*") if p.suffix in {".so", ".pyd", ".dylib"}]
    for extension in extensions:
        try:
            torch.ops.load_library(str(extension))
        except (OSError, ImportError):
            continue  # the case for which this module exists
    missing = [name for name in _SCHEMAS if not hasattr(torch.ops.torchvision, name)]
    if missing:
        _library = torch.library.Library("torchvision", "FRAGMENT")
        for name in missing:
            _library.define(_SCHEMAS[name])
    return missing


declare_missing()
