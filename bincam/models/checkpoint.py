"""Models on disk: a folder with ``weights.safetensors`` and ``card.json``. Nothing is unpickled unless asked for."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bincam.errors import InputError
from bincam.files import atomic
from bincam.models.borrow import unwrap
from bincam.models.card import FILE, Card, read_card, weights_of, write_card
from bincam.models.classifier import AttributeClassifier, construct

WEIGHTS = "weights.safetensors"
_NESTED = ("state_dict", "model_state_dict", "model", "net", "weights")
_WRAPPERS = ("module.", "_orig_mod.")


def save(model: AttributeClassifier, folder: str | Path) -> None:
    """Write a model's folder. A write that fails leaves what was there.

    The card holds the weights' digest. A process that is killed between the two files leaves a new card beside old
    weights, and ``load`` refuses them.

    Args:
        model: What to save; compiled and parallel wrappers are opened.
        folder: Made if missing.

    Raises:
        InputError: The folder cannot be written to, or the model carries no card.
    """
    from safetensors.torch import save_file

    own = unwrap(model)
    if not isinstance(own, AttributeClassifier):
        raise InputError(f"a {type(own).__name__} carries no card; wrap it in bincam.models.AttributeClassifier")
    entries = unwrap(own.network).state_dict().items()
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in entries}
    with atomic(Path(folder) / WEIGHTS) as part:
        save_file(state, part, metadata={"format": "pt"})
        # Inside, so that both are whole on disk before the first old one is replaced.
        write_card(folder, own.card, weights=_digest(part))


def load(folder: str | Path, device: str | torch.device = "cpu", *, factory: str | None = None) -> AttributeClassifier:
    """Read a model's folder.

    A card of architecture ``factory`` names a function, ``module:function``, to be imported and called. Because a
    card can name any function of any installed package, this is done only where the caller names it too.

    Args:
        folder: Holds ``card.json`` and ``weights.safetensors``.
        device: Where to put it.
        factory: The factory that the card may call; not needed for other architectures.

    Returns:
        The classifier in evaluation mode.

    Raises:
        InputError: A file is missing or broken, card and weights disagree or were not written together, or the card
            names a factory that the caller does not.
    """
    path = Path(folder)
    if not (path / FILE).is_file():
        what = "is no folder" if not path.is_dir() else f"holds no {FILE}"
        raise InputError(f"{path} {what}; 'bincam card' makes a model's folder from weights of yours")
    card = read_card(path)
    if card.architecture == "factory" and factory != card.name:
        raise InputError(
            f"{path}: its card names the function {card.name!r}, which would be imported and called"
            + (f", but you gave {factory!r}" if factory else "")
            + f"; if you trust whoever made the folder, pass --factory {card.name} (factory={card.name!r})"
        )
    network = construct(card)
    source = f"{path / WEIGHTS} (of {card.name}, {len(card.attributes)} attributes)"
    fill(network, read_weights(path / WEIGHTS), source=source)
    if weights_of(path) not in {None, _digest(path / WEIGHTS)}:
        raise InputError(
            f"{path}: {FILE} was not written with these {WEIGHTS}: a save was interrupted, or one was replaced; "
            "go on with the training (--resume), or save the model again"
        )
    return AttributeClassifier(network, card).to(device).eval()


def adopt(card: Card, weights: str | Path | None, *, unsafe_pickle: bool = False) -> AttributeClassifier:
    """Make a classifier of someone else's weights.

    Args:
        card: What they are.
        weights: A state dict, ``.safetensors`` or ``.pt``; None keeps what the factory returns.
        unsafe_pickle: Allow a ``.pt`` file to run code while it is read.

    Returns:
        The classifier in evaluation mode.

    Raises:
        InputError: The file cannot be read without unpickling, or does not fit the network.
    """
    network = construct(card)
    if weights is not None:
        fill(network, read_weights(weights, unsafe_pickle=unsafe_pickle), source=str(weights))
    return AttributeClassifier(network, card).eval()


def read_weights(path: str | Path, *, unsafe_pickle: bool = False) -> dict[str, Tensor]:
    """Read a state dict.

    Args:
        path: ``.safetensors``; anything else is read by ``torch.load(weights_only=True)``. A dict that wraps the state
            dict under a usual name is opened.
        unsafe_pickle: Use the full unpickler, which runs whatever the file says.

    Returns:
        Names to tensors.

    Raises:
        InputError: Missing, truncated, not a state dict, or in need of unpickling (the type is named).
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    if file.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(file)
        except (SafetensorError, OSError) as error:
            raise InputError(f"{file}: not a whole safetensors file: {error}") from None
    try:
        value = torch.load(file, map_location="cpu", weights_only=not unsafe_pickle)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        if named is None:
            raise InputError(f"{file}: not a file that torch.save wrote") from None
        raise InputError(
            f"{file}: reading it would have to unpickle {named[1]}, which can run code; save a state dict instead, or "
            "pass --unsafe-pickle (unsafe_pickle=True) if you trust whoever made the file"
        ) from None
    except (AttributeError, ImportError) as error:  # only the full unpickler gets this far
        raise InputError(
            f"{file}: a class it was saved with is not here: {error}; is its folder on PYTHONPATH?"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, LookupError) as error:
        text = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{file}: not a whole file of weights: {text}") from None
    return _state_dict(value, file)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _state_dict(value: Any, file: Path) -> dict[str, Tensor]:
    if isinstance(value, nn.Module):
        value = value.state_dict()
    # A state dict holds no mappings, so one under a usual name is what was meant, whatever tensors stand beside it.
    while isinstance(value, Mapping) and (
        inner := [k for k in _NESTED if isinstance(value.get(k), (Mapping, nn.Module))]
    ):
        value = value[inner[0]]
        value = value.state_dict() if isinstance(value, nn.Module) else value
    if not isinstance(value, Mapping):
        raise InputError(f"{file}: holds a {type(value).__name__}, not a state dict")
    if not any(isinstance(entry, Tensor) for entry in value.values()):
        raise InputError(f"{file}: no tensors in it; it holds {', '.join(map(str, list(value)[:8])) or 'nothing'}")
    odd = [key for key, entry in value.items() if not isinstance(entry, Tensor)]
    if odd:
        raise InputError(
            f"{file}: entry {odd[0]!r} of the state dict is a {type(value[odd[0]]).__name__}, not a tensor"
        )
    return {str(key): tensor for key, tensor in value.items()}


def _unwrapped(state: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """Cut the prefixes of wrappers, in whatever order they were put, unless the network's own names begin so."""
    result = dict(state)
    while not any(name in own for name in result):
        wrapped = [prefix for prefix in _WRAPPERS if result and all(name.startswith(prefix) for name in result)]
        if not wrapped:
            return dict(state)
        result = {name.removeprefix(wrapped[0]): tensor for name, tensor in result.items()}
    return result


def fill(network: nn.Module, state: Mapping[str, Tensor], *, source: str) -> None:
    """Put weights into a network; every name and shape must agree.

    The prefixes that ``torch.compile`` and ``DataParallel`` put before names are cut.

    Raises:
        InputError: They don't, with the first disagreement of each sort and the counts.
    """
    own = network.state_dict()
    state = _unwrapped(state, own)
    missing = [name for name in own if name not in state]
    unknown = [name for name in state if name not in own]
    shapes = [name for name in own if name in state and own[name].shape != state[name].shape]
    problems = []
    if missing:
        problems.append(f"{len(missing)} tensors are missing (first: {missing[0]})")
    if unknown:
        problems.append(f"{len(unknown)} are not in the network (first: {unknown[0]})")
    if shapes:
        name = shapes[0]
        problems.append(
            f"{len(shapes)} have another shape (first: {name} is {tuple(state[name].shape)}, the network needs "
            f"{tuple(own[name].shape)})"
        )
    if problems:
        raise InputError(f"{source}: the weights and the network disagree: {'; '.join(problems)}")
    network.load_state_dict(dict(state))
