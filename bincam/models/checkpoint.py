"""Models on disk: folders with ``weights.safetensors`` and ``card.json``. Pickles are read only on request."""

from __future__ import annotations

import hashlib
import pickle
import re
import warnings
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bincam.display import counted
from bincam.errors import BincamWarning, InputError
from bincam.files import atomic, regular
from bincam.folder_lock import take
from bincam.models.borrowing.borrow import unwrap
from bincam.models.card import FILE, Card, read_card, weights_of, write_card
from bincam.models.classifier import AttributeClassifier, construct

WEIGHTS = "weights.safetensors"
_NESTED = ("state_dict", "model_state_dict", "model", "net", "weights")
_WRAPPERS = ("module.", "_orig_mod.")


def save(model: AttributeClassifier, folder: str | Path) -> None:
    """Write a model's folder. If writing fails, the previous files remain.

    The card contains the digest of the weights. A process that is killed between the two files leaves a new card with
    old weights, which ``load`` refuses.

    Args:
        model: The model; compiled and parallel wrappers are opened.
        folder: The folder; created if missing.

    Raises:
        InputError: The folder cannot be written to, another process is writing it, or the model has no card.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from bincam import models
        >>> model = models.build("resnet10t", ["Smiling", "Bald"], input_size=(64, 64))
        >>> with TemporaryDirectory() as folder:
        ...     models.save(model, folder)
        ...     models.load(folder).card.attributes
        ('Smiling', 'Bald')
    """
    from safetensors.torch import save_file

    classifier = unwrap(model)
    if not isinstance(classifier, AttributeClassifier):
        raise InputError(f"a {type(classifier).__name__} has no card; wrap it in bincam.models.AttributeClassifier")
    entries = unwrap(classifier.network).state_dict().items()
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in entries}
    with take(folder, writes=(WEIGHTS, FILE)), atomic(Path(folder) / WEIGHTS) as part:
        save_file(state, part, metadata={"format": "pt"})
        # Inside the block, so that both files are complete on disk before the first old one is replaced.
        write_card(folder, classifier.card, weights=_digest(part))


def load(folder: str | Path, device: str | torch.device = "cpu", *, factory: str | None = None) -> AttributeClassifier:
    """Read a model's folder; ``save`` has an example.

    A card of architecture ``factory`` names a function, ``module:function``, to import and call. Because a card can
    name any function of any installed package, it is called only if the caller names it too.

    Args:
        folder: Folder with ``card.json`` and ``weights.safetensors``.
        device: Device of the model.
        factory: The function that the card may call; only for architecture ``factory``.

    Returns:
        The classifier in evaluation mode.

    Raises:
        InputError: A file is missing or broken, card and weights disagree or were not written together, or the card
            names a factory that the caller did not.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from bincam import models
        >>> with TemporaryDirectory() as folder:
        ...     models.save(models.build("resnet10t", ["Bald"], input_size=(64, 64)), folder)
        ...     model = models.load(folder)
        >>> model.training
        False
    """
    path = Path(folder)
    if not (path / FILE).is_file():
        problem = "is not a folder" if not path.is_dir() else f"contains no {FILE}"
        raise InputError(f"{path} {problem}; 'bincam card' makes a model's folder from your weights")
    card = read_card(path)
    if card.architecture == "factory" and factory != card.name:
        raise InputError(
            f"{path}: its card names the function {card.name!r}, which loading would import and call"
            + (f", but you gave {factory!r}" if factory else "")
            + f"; if you trust the author of the folder, pass --factory {card.name} (factory={card.name!r})"
        )
    network = construct(card)
    source = f"{path / WEIGHTS} (of {card.name}, {counted(len(card.attributes), 'attribute')})"
    fill(network, read_weights(path / WEIGHTS), source=source)
    if weights_of(path) not in {None, _digest(path / WEIGHTS)}:
        raise InputError(
            f"{path}: {FILE} was not written with these {WEIGHTS}: a save was interrupted, or one file was replaced; "
            "resume the training (--resume), or save the model again"
        )
    return AttributeClassifier(network, card).to(device).eval()


def adopt(card: Card, weights: str | Path | None, *, unsafe_pickle: bool = False) -> AttributeClassifier:
    """Make a classifier from weights that bincam did not write.

    Args:
        card: Description of the model.
        weights: A state dict, ``.safetensors`` or ``.pt``; None keeps the weights that the factory returns.
        unsafe_pickle: Allow a ``.pt`` file to run code while it is read.

    Returns:
        The classifier in evaluation mode.

    Raises:
        InputError: The file cannot be read without unpickling, or does not fit the network.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import timm, torch
        >>> from bincam import models
        >>> card = models.make_card(
        ...     attributes=("Smiling", "Bald"), architecture="timm", name="resnet10t", input_size=(64, 64)
        ... )
        >>> with TemporaryDirectory() as folder:
        ...     torch.save(timm.create_model("resnet10t", num_classes=2).state_dict(), f"{folder}/theirs.pt")
        ...     model = models.adopt(card, f"{folder}/theirs.pt")
        >>> model(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 2])
    """
    network = construct(card)
    if weights is not None:
        fill(network, read_weights(weights, unsafe_pickle=unsafe_pickle), source=str(weights))
    return AttributeClassifier(network, card).eval()


def read_weights(path: str | Path, *, unsafe_pickle: bool = False) -> dict[str, Tensor]:
    """Read a state dict.

    Args:
        path: A ``.safetensors`` file; any other is read by ``torch.load(weights_only=True)``. A state dict inside a
            training checkpoint (``state_dict``, ``model``, ...) is found.
        unsafe_pickle: Use the full unpickler, which runs any code in the file.

    Returns:
        Names to tensors.

    Raises:
        InputError: The file is missing, truncated, not a state dict, or needs unpickling (the message names the type).

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import torch
        >>> from bincam.models import read_weights
        >>> with TemporaryDirectory() as folder:
        ...     torch.save({"epoch": 9, "state_dict": {"fc.bias": torch.zeros(2)}}, f"{folder}/last.pt")
        ...     read_weights(f"{folder}/last.pt")
        {'fc.bias': tensor([0., 0.])}
    """
    file = regular(path)
    if file.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(file)
        except (SafetensorError, OSError) as error:
            raise InputError(f"{file}: not a complete safetensors file: {error}") from None
    try:
        value = torch.load(file, map_location="cpu", weights_only=not unsafe_pickle)
    except pickle.UnpicklingError as error:
        global_name = re.search(r"GLOBAL (\S+)", str(error))
        if global_name is None:
            raise InputError(
                f"{file}: not written by torch.save; expected a state dict, torch.save(model.state_dict(), file), or "
                ".safetensors"
            ) from None
        raise InputError(
            f"{file}: reading it needs to unpickle {global_name[1]}, which can run code; save a state dict instead, or "
            "pass --unsafe-pickle (unsafe_pickle=True) if you trust the author of the file"
        ) from None
    except (AttributeError, ImportError) as error:  # only the full unpickler gets this far
        raise InputError(
            f"{file}: a class that it needs cannot be imported: {error}; is its folder on PYTHONPATH?"
        ) from None
    except Exception as error:  # of a damaged file, whatever its parsing meets
        text = (str(error) or type(error).__name__).splitlines()[0]
        archive = _archive(file)
        if archive:
            raise InputError(f"{file}: {archive}") from None
        raise InputError(f"{file}: not a complete weights file: {text}") from None
    return _state_dict(value, file)


def _archive(file: Path) -> str:
    """State how to get the state dict out of a file that torch wrote for another purpose; empty for other files."""
    if not zipfile.is_zipfile(file):
        return ""
    try:
        with zipfile.ZipFile(file) as content:
            names = [name.rpartition("/")[2] for name in content.namelist()]
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return ""
    if "constants.pkl" in names:
        return (
            "a network stored by torch.jit; save its state dict, "
            f"torch.save(torch.jit.load({str(file)!r}).state_dict(), 'weights.pt'), and pass that"
        )
    if "archive_format" in names:
        return (
            "a program stored by torch.export; save its state dict, "
            f"torch.save(dict(torch.export.load({str(file)!r}).state_dict), 'weights.pt'), and pass that"
        )
    return ""


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _state_dict(value: Any, file: Path) -> dict[str, Tensor]:
    if isinstance(value, nn.Module):
        value = value.state_dict()
    # A state dict contains no mappings, so a mapping under one of these names is the state dict.
    seen: set[int] = set()
    while isinstance(value, Mapping) and (
        inner := [k for k in _NESTED if isinstance(value.get(k), (Mapping, nn.Module))]
    ):
        if id(value) in seen:
            raise InputError(f"{file}: entry {inner[0]!r} contains itself; expected a state dict")
        seen.add(id(value))
        value = value[inner[0]]
        value = value.state_dict() if isinstance(value, nn.Module) else value
    if not isinstance(value, Mapping):
        raise InputError(f"{file}: contains a {type(value).__name__}, not a state dict")
    if not any(isinstance(entry, Tensor) for entry in value.values()):
        entries = ", ".join(map(str, list(value)[:8]))
        raise InputError(f"{file}: no tensors in it" + (f", only {entries}" if entries else ""))
    if any("_packed_params" in str(key) for key in value):
        raise InputError(
            f"{file}: the weights of quantised layers; pass those of the float network they were made from"
        )
    others = [key for key, entry in value.items() if not isinstance(entry, Tensor)]
    if others:
        raise InputError(
            f"{file}: entry {others[0]!r} of the state dict is a {type(value[others[0]]).__name__}, not a tensor"
        )
    return {str(key): tensor for key, tensor in value.items()}


def _unwrapped(state: Mapping[str, Tensor], expected: Collection[str]) -> dict[str, Tensor]:
    """Strip the prefixes of wrappers, in any order, unless the network's own names begin with them."""
    result = dict(state)
    while not any(name in expected for name in result):
        wrapped = [prefix for prefix in _WRAPPERS if result and all(name.startswith(prefix) for name in result)]
        if not wrapped:
            return dict(state)
        result = {name.removeprefix(wrapped[0]): tensor for name, tensor in result.items()}
    return result


def fill(network: nn.Module, state: Mapping[str, Tensor], *, source: str) -> None:
    """Load weights into a network; every name and shape must agree.

    The prefixes that ``torch.compile`` and ``DataParallel`` put before names are stripped.

    Raises:
        InputError: They disagree; the message has the first disagreement of each kind and the counts.
    """
    expected = network.state_dict()
    state = _unwrapped(state, expected)
    missing = [name for name in expected if name not in state]
    unknown = [name for name in state if name not in expected]
    shapes = [name for name in expected if name in state and expected[name].shape != state[name].shape]
    problems = []
    if missing:
        problems.append(f"{len(missing)} tensors are missing (first: {missing[0]})")
    if unknown:
        problems.append(f"{len(unknown)} are not in the network (first: {unknown[0]})")
    if shapes:
        name = shapes[0]
        problems.append(
            f"{len(shapes)} have another shape (first: {name} is {tuple(state[name].shape)}, the network needs "
            f"{tuple(expected[name].shape)})"
        )
    if problems:
        raise InputError(f"{source}: the weights and the network disagree: {'; '.join(problems)}")
    _tell_undefined(state, source)
    network.load_state_dict(dict(state))


def _tell_undefined(state: Mapping[str, Tensor], source: str) -> None:
    """Warn of weights with NaN, from which no logit is a number; an infinity may be meant, as in a mask."""
    wrong = [name for name, tensor in state.items() if tensor.is_floating_point() and bool(tensor.isnan().any())]
    if wrong:
        warnings.warn(
            f"{source}: {counted(len(wrong), 'tensor')} with NaN (first: {wrong[0]}): logits that depend on them are "
            "undefined",
            BincamWarning,
            stacklevel=3,
        )
