"""A network together with its card, and its construction from a timm backbone, a timm model or a factory."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from bincam.errors import InputError, nearest
from bincam.models.architecture_options import check_options
from bincam.models.card import DECISIONS, LABEL_SETS, Card, make_card
from bincam.models.heads import raw_scores, select_output
from bincam.models.log_odds import log_odds
from bincam.models.network import AttributeNet
from bincam.one_of import check_sets


class AttributeClassifier(nn.Module):
    """Any network with its card; calling it returns logits.

    Args:
        network: The network, whose raw output the card describes.
        card: The card.

    Example:
        >>> import torch
        >>> from bincam.models import AttributeClassifier, make_card
        >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 2))
        >>> card = make_card(
        ...     attributes=("Smiling", "Bald"), architecture="factory", name="mine:make", input_size=(8, 8)
        ... )
        >>> AttributeClassifier(network, card)(torch.zeros(5, 3, 8, 8)).shape
        torch.Size([5, 2])
    """

    def __init__(self, network: nn.Module, card: Card) -> None:
        super().__init__()
        self.network = network
        self.card = card

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(B, C, H, W)`` to logits ``(B, A)``; of outputs in sets, log-odds."""
        return log_odds(self.scores(images), self.card.set_columns)

    def scores(self, images: Tensor) -> Tensor:
        """Compute raw scores ``(B, A)`` of images ``(B, C, H, W)``: of a set those before its softmax, else logits.

        The cross-entropy of a set is ``torch.nn.functional.cross_entropy`` of its columns. The scores of a set have a
        number in common that means nothing; the logits that ``forward`` returns do not depend on it.

        Example:
            >>> import torch
            >>> from bincam.models import build
            >>> model = build("resnet10t", ["blond", "dark"], one_of={"hair": ["blond", "dark"]}).eval()
            >>> scores, logits = model.scores(torch.zeros(1, 3, 64, 64)), model(torch.zeros(1, 3, 64, 64))
            >>> torch.allclose(scores.softmax(-1), logits.sigmoid())
            True
        """
        return self._scores(self.network(images), images.shape[0])

    def both_scores(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute ``scores`` and what the second head says, in one pass.

        Returns:
            ``(B, A)``, and logits ``(B, S)`` of the S outputs in sets, in the order of the attributes; None where the
            card names no ``set_output``.

        Raises:
            InputError: The network's second output has another shape.
        """
        raw = self.network(images)
        return self._scores(raw, images.shape[0]), self._set_logits(raw, images.shape[0])

    def set_scores(self, images: Tensor) -> dict[str, Tensor]:
        """Compute the scores from which label sets are made: for each set of outputs ``(B, K)``, from 0 to 1.

        The logistic of the second head where the card names a ``set_output``, which need not add up to 1; otherwise the
        softmax of the set's raw scores.

        Example:
            >>> import torch
            >>> from bincam.models import build
            >>> from bincam.postprocessing.average_k import fit_average_k
            >>> hair = ["blond", "brown", "dark"]
            >>> model = build("resnet10t", hair, one_of={"hair": hair}, set_head=True).eval()
            >>> with torch.no_grad():
            ...     p = model.set_scores(torch.rand(4, 3, 64, 64))["hair"]
            >>> fit_average_k(p.numpy(), size=1.5).sets(p.numpy()).size
            1.5
        """
        scores, logits = self.both_scores(images)
        if logits is None:
            return {name: scores[:, list(own)].softmax(-1) for name, own in self.card.set_columns.items()}
        return {name: logits[:, list(own)].sigmoid() for name, own in self.card.set_output_columns.items()}

    def _scores(self, raw: Any, batch: int) -> Tensor:
        chosen = select_output(raw, self.card.output, self.card.head)
        return raw_scores(chosen, self.card.head, len(self.card.attributes), batch, self.card.set_columns)

    def _set_logits(self, raw: Any, batch: int) -> Tensor | None:
        if self.card.set_output is None:
            return None
        logits = select_output(raw, self.card.set_output)
        count = sum(map(len, self.card.one_of.values()))
        if tuple(logits.shape) != (batch, count) or not logits.is_floating_point():
            raise InputError(
                f"set_output {self.card.set_output!r} has shape {tuple(logits.shape)} of {logits.dtype}; expected "
                f"logits ({batch}, {count}), one for each output in a set"
            )
        return logits


class ScoringClassifier(AttributeClassifier):
    """A classifier that returns raw scores in place of logits; it shares the network.

    Args:
        classifier: The classifier.
    """

    def __init__(self, classifier: AttributeClassifier) -> None:
        super().__init__(classifier.network, classifier.card)

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(B, C, H, W)`` to raw scores ``(B, A)``."""
        return self.scores(images)


class SetScoringClassifier(AttributeClassifier):
    """A classifier that returns the logits of its second head; it shares the network.

    Args:
        classifier: The classifier, whose card names a ``set_output``.
    """

    def __init__(self, classifier: AttributeClassifier) -> None:
        super().__init__(classifier.network, classifier.card)
        if classifier.card.set_output is None:
            raise InputError("the model has no second head for label sets: its card names no set_output")

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(B, C, H, W)`` to logits ``(B, S)`` of the S outputs in sets, in the order of the attributes."""
        logits = self._set_logits(self.network(images), images.shape[0])
        assert logits is not None
        return logits


def build(
    backbone: str,
    attributes: Sequence[str],
    *,
    pooling: str = "mean",
    pooling_options: Mapping[str, float] | None = None,
    pretrained: bool = False,
    input_size: tuple[int, int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    thresholds: Mapping[str, float] | None = None,
    train_counts: Mapping[str, tuple[int, int]] | None = None,
    one_of: Mapping[str, Sequence[str]] | None = None,
    set_head: bool = False,
    **options: Any,
) -> AttributeClassifier:
    """Build a classifier with one logit per attribute on any timm backbone.

    The head is pooling → linear, so with ``mean`` and ``max`` its maps add up to the logit exactly; ``top``,
    ``noisy_or`` and ``pcam`` follow the linear layer instead. The backbone's own head is not used.

    Args:
        backbone: Name of a timm model.
        attributes: Names of the outputs.
        pooling: ``mean``, ``max``, ``logsumexp`` or ``attention``, of features; ``top``, ``noisy_or`` or ``pcam``, of
            the linear layer's scores of every cell.
        pooling_options: Keyword arguments of the pooling: ``share`` of the cells that ``top`` averages, ``sharpness``
            of ``logsumexp``.
        pretrained: Load timm's weights of the backbone (from a model hub or its cache).
        input_size: ``(H, W)``; the backbone's own by default.
        mean: Per channel, of pixels in [0, 1]; the backbone's own by default.
        std: Likewise.
        thresholds: Decision threshold per attribute, in logit units.
        train_counts: ``(negatives, positives)`` per attribute.
        one_of: Sets of outputs of which exactly one is true, by name.
        set_head: Add a second linear layer on the same features, from whose logistic label sets are made (the card's
            ``set_output``); ``set_loss: two_head`` trains it.
        options: Further arguments of ``timm.create_model``, for example ``drop_path_rate``. ``drop_rate`` sets the
            dropout before bincam's linear layer.

    Returns:
        The classifier, in training mode, with its card.

    Raises:
        InputError: An unknown backbone, pooling or option, repeated names, an invalid size, mean or std, or a head for
            label sets without ``one_of``.

    Example:
        >>> import torch
        >>> from bincam.models import build
        >>> model = build("resnet10t", ["Smiling", "Bald"], input_size=(64, 64)).eval()
        >>> model(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 2])
    """
    if isinstance(attributes, str):
        raise InputError(f"attributes={attributes!r} is one string; pass a list of names, [{attributes!r}]")
    config = timm_config(backbone)
    channels = options.get("in_chans", len(config.mean))
    for field, values in (("mean", mean or config.mean), ("std", std or config.std)):
        if len(values) != channels:
            raise InputError(
                f"{field} has {len(values)} values, but the backbone reads {channels} channels; pass one per channel "
                "(in_chans= sets their number)"
            )
    card = make_card(
        attributes=tuple(attributes),
        architecture="attribute_head",
        name=backbone,
        options=options,
        pooling=pooling,
        pooling_options=dict(pooling_options or {}),
        input_size=input_size or tuple(config.input_size[1:]),
        mean=tuple(mean or config.mean),
        std=tuple(std or config.std),
        thresholds=dict(thresholds or {}),
        train_counts=dict(train_counts or {}),
        one_of={name: tuple(members) for name, members in check_sets(one_of or {}, attributes).items()},
        **(two_outputs() if set_head else {}),
    )
    return AttributeClassifier(construct(card, pretrained=pretrained), card)


def two_outputs() -> dict[str, str]:
    """Return the card's fields that name the outputs of bincam's own network with two heads."""
    return {"output": DECISIONS, "set_output": LABEL_SETS}


def construct(card: Card, *, pretrained: bool = False) -> nn.Module:
    """Construct the network that a card describes, with random or timm's pretrained weights.

    Raises:
        InputError: The name or an option is unknown, the factory cannot be imported or returns no module, or pretrained
            weights cannot be downloaded.
    """
    if card.architecture == "factory":
        return _from_factory(card)
    complete = card.architecture == "timm"
    check_options(card.name, card.options)
    options = {**_size_option(card), **card.options}
    drop_rate = options.get("drop_rate") or 0.0
    if not complete and not (isinstance(drop_rate, (int, float)) and 0 <= drop_rate < 1):
        raise InputError(f"option 'drop_rate': expected a number from 0 to below 1, got {drop_rate!r}")
    outputs = len(card.attributes) * (2 if card.head == "two_logits" else 1)
    network = timm_model(card.name, pretrained=pretrained, num_classes=outputs if complete else 0, **options)
    if complete:
        return network
    return AttributeNet(
        network,
        len(card.attributes),
        pooling=card.pooling,
        input_size=card.input_size,
        channels=len(card.mean),
        drop_rate=drop_rate,
        pooling_options=card.pooling_options,
        set_outputs=0 if card.set_output is None else sum(map(len, card.one_of.values())),
    )


def timm_config(name: str) -> Any:
    """Look up timm's configuration of a model: input size, mean, std, number of classes.

    Raises:
        InputError: timm has no such model.
    """
    import timm

    if not timm.is_model(name.split(".", maxsplit=1)[0]):
        raise InputError(f"timm has no model {name!r}{nearest(name, timm.list_models())}")
    try:
        config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    except RuntimeError:  # timm's error for an unknown tag
        tags = timm.list_pretrained(f"{name.split('.', maxsplit=1)[0]}.*")
        raise InputError(f"timm has no weights called {name!r}{nearest(name, tags)}") from None
    if config is None:
        raise InputError(f"timm has no configuration for {name!r}; use the name without its tag")
    return config


def _size_option(card: Card) -> dict[str, Any]:
    """The option for another input size, which models with position embeddings need and convolutional ones reject."""
    config = timm_config(card.name)
    other = tuple(card.input_size) != tuple(config.input_size[1:])
    return {"img_size": tuple(card.input_size)} if other and config.fixed_input_size else {}


def timm_model(name: str, *, pretrained: bool, **options: Any) -> nn.Module:
    """Create a timm model by name.

    Raises:
        InputError: timm rejects an option, or the weights cannot be downloaded.
    """
    import timm

    try:
        model: nn.Module = timm.create_model(name, pretrained=pretrained, **options)
    except (TypeError, ValueError, AssertionError, LookupError, AttributeError) as error:
        raise InputError(
            f"timm model {name!r} with {options}: {type(error).__name__}{_cause(error)}{_own_size(name, options)}"
        ) from None
    except (OSError, RuntimeError) as error:
        if not pretrained:
            raise InputError(f"timm model {name!r} with {options}{_cause(error)}{_own_size(name, options)}") from None
        raise InputError(
            f"the pretrained weights of {name!r} cannot be downloaded ({type(error).__name__}); on a machine without "
            "internet use a model's folder, or your own weights (in a command: --weights FILE --names a,b --head "
            "logits); training can start without them (model.pretrained: none)"
        ) from None
    return model


def _cause(error: Exception) -> str:
    return f": {str(error).splitlines()[0]}" if str(error) else ""


def _own_size(name: str, options: Mapping[str, Any]) -> str:
    """Say which size a model certainly takes, if another one was asked for."""
    if "img_size" not in options:
        return ""
    height, width = timm_config(name).input_size[1:]
    return (
        "; some models take only square images, or multiples of their windows: this one's own size is "
        f"input_size=({height}, {width})"
    )


def _from_factory(card: Card) -> nn.Module:
    module_name, _, function_name = card.name.partition(":")
    if not function_name or not module_name or module_name.startswith("."):
        raise InputError(f"a factory is named module:function, got {card.name!r}")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise InputError(f"factory {card.name!r}: {error}; is its folder on PYTHONPATH?") from None
    except (Exception, SystemExit) as error:  # a user's module may raise any exception, or end the program
        raise InputError(f"factory {card.name!r}: importing it raised {type(error).__name__}: {error}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise InputError(f"factory {card.name!r}: {module_name} has no function {function_name!r}")
    try:
        network = function(**card.options)
    except (Exception, SystemExit) as error:  # and so may a user's function
        raise InputError(
            f"factory {card.name!r} called with {card.options} raised {type(error).__name__}: {error}"
        ) from error
    if not isinstance(network, nn.Module):
        raise InputError(f"factory {card.name!r} returned a {type(network).__name__}, not an nn.Module")
    return network
