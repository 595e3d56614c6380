"""The model card stored with the weights: everything needed to use them, stated because it cannot be inferred."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from bincam.data.decoding.size import LARGEST
from bincam.display import ROWS, Table, counted
from bincam.errors import InputError, nearest
from bincam.files import read_json, write_json
from bincam.models.heads import Head, check_head
from bincam.models.poolings.pooling import OF_LOG_ODDS, Pooling, check_pooling
from bincam.one_of import check_no_threshold, check_set_counts, check_sets, set_columns

SCHEMA = 1
KIND = "bincam-model"
FILE = "card.json"
_WEIGHTS = "weights_sha256"
DECISIONS, LABEL_SETS = "decisions", "label_sets"
"""Keys of the outputs of bincam's own network with two heads, as ``output`` and ``set_output`` name them."""
_OF_THE_FILE = ("kind", "schema", _WEIGHTS)  # describe the file and are not fields of the card


class Card(BaseModel):
    """Description of a model: architecture, meaning of its outputs, preprocessing, and training statistics.

    ``make_card`` makes one and reports errors in one line. Cards are immutable.

    Attributes:
        attributes: Names of all outputs, in order.
        architecture: ``attribute_head``: a timm backbone with bincam's own head; ``timm``: a complete timm model;
            ``factory``: a user's function, ``module:function``, that returns the ``nn.Module``.
        name: The timm name, or ``module:function``.
        options: Keyword arguments of the constructor.
        pooling: Pooling of bincam's own head.
        pooling_options: Keyword arguments of that pooling.
        head: Meaning of the raw output.
        one_of: Sets of outputs of which exactly one is true, by name; all other outputs are yes-or-no attributes.
        output: Index or key of the raw output, if the network returns several tensors; several indices or keys for a
            network with several heads, whose outputs are joined in this order.
        set_output: Index or key of a second output, ``(B, S)`` logits of the S outputs in sets, in the order of
            ``attributes``. Their logistic gives the scores from which label sets are made; decisions, probabilities and
            maps are those of ``output``. None: label sets are made from the softmax of ``output``.
        input_size: ``(H, W)`` in pixels.
        mean: Per channel, of pixels in [0, 1].
        std: Per channel, of pixels in [0, 1].
        fit: How an image is brought to the input size: ``stretch`` both axes, scale the short side and ``crop`` the
            centre, or the square ``face`` crop by landmarks (see ``bincam.data.crop``).
        thresholds: Decision thresholds in logit units; 0 for attributes without an entry.
        tuned_thresholds: Thresholds that minimise the balanced error on validation data, in logit units. Decisions do
            not use them unless they are also in ``thresholds``.
        train_counts: ``(negatives, positives)`` in the training data, for attributes with known counts. Those of the
            outputs of a set are of the same images, and their positives add up to these.
        logit_shift: Offset of each logit from the log-odds caused by the training loss, where it is a constant.
        score_shift: The same of the outputs of sets: offset of each raw score from the log-probability, where it is a
            constant, up to a constant in the set. Raw scores less these give probabilities of the training data.
        tuned_offsets: Offsets of the raw scores of the outputs of sets with which each output of a set is predicted as
            often on validation data as it is true. Decisions do not use them.
        calibration: Slope and intercept that map a logit to log-odds, fitted on validation data, where no constant is
            known.
        loss: Name of the training loss.
        notes: Remarks for users of the model.

    Example:
        >>> from bincam.models import Card, make_card
        >>> card = make_card(attributes=("Bald",), architecture="timm", name="resnet18", input_size=(224, 224))
        >>> card.model_copy(update={"thresholds": {"Bald": -1.5}}).thresholds
        {'Bald': -1.5}
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    attributes: tuple[str, ...] = Field(min_length=1)
    architecture: Literal["attribute_head", "timm", "factory"]
    name: str = Field(min_length=1)
    options: dict[str, Any] = {}
    pooling: Pooling = "mean"
    pooling_options: dict[str, float] = {}
    head: Head = "logits"
    one_of: dict[str, tuple[str, ...]] = {}
    output: str | int | tuple[str | int, ...] | None = None
    set_output: str | int | None = None
    input_size: tuple[int, int]
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    fit: Literal["stretch", "crop", "face"] = "stretch"
    thresholds: dict[str, float] = {}
    tuned_thresholds: dict[str, float] = {}
    train_counts: dict[str, tuple[int, int]] = {}
    logit_shift: dict[str, float] = {}
    score_shift: dict[str, float] = {}
    tuned_offsets: dict[str, float] = {}
    calibration: dict[str, tuple[float, float]] = {}
    loss: str | None = None
    notes: str = ""

    @field_validator(
        *(
            "input_size",
            "output",
            "set_output",
            "mean",
            "std",
            "thresholds",
            "tuned_thresholds",
            "train_counts",
            "logit_shift",
        ),
        *("calibration", "score_shift", "tuned_offsets"),
        mode="before",
    )
    @classmethod
    def _no_booleans(cls, value: Any) -> Any:
        """Refuse True in place of a number, because pydantic would read it as 1."""
        entries = (
            list(value.values()) if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else [value]
        )
        flat = [v for entry in entries for v in (entry if isinstance(entry, (tuple, list)) else [entry])]
        if any(isinstance(v, bool) for v in flat):
            raise ValueError(f"expected numbers, got {value}")
        return value

    @field_validator("options")
    @classmethod
    def _storable(cls, options: dict[str, Any]) -> dict[str, Any]:
        for key, value in options.items():
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError):
                raise ValueError(
                    f"option {key!r} is {value!r}, which JSON cannot represent; timm accepts names of layers as strings"
                ) from None
        return options

    @field_validator("attributes")
    @classmethod
    def _distinct(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        repeated = sorted(name for name, times in Counter(names).items() if times > 1)
        if repeated:
            raise ValueError(f"repeated names: {', '.join(repeated)}")
        if any(not name.strip() for name in names):
            raise ValueError(f"an empty name at position {[not n.strip() for n in names].index(True)}")
        return names

    @field_validator("input_size")
    @classmethod
    def _positive_size(cls, size: tuple[int, int]) -> tuple[int, int]:
        if min(size) < 1:
            raise ValueError(f"a size in pixels is at least 1, got {size}")
        if size[0] * size[1] > LARGEST:
            raise ValueError(f"no image has more than {LARGEST:,} pixels, got {size}")
        return size

    @field_validator("train_counts")
    @classmethod
    def _counted(cls, counts: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        for name, pair in counts.items():
            if min(pair) < 0:
                raise ValueError(f"{name}: counts are (negatives, positives), got {pair}")
        return counts

    @model_validator(mode="after")
    def _consistent(self) -> Card:
        check_sets(self.one_of, self.attributes)
        check_pooling(self.pooling, self.pooling_options)
        if self.one_of and self.pooling in OF_LOG_ODDS:
            raise ValueError(
                f"pooling {self.pooling!r} reads the scores of cells as log-odds of yes-or-no attributes, but exactly "
                f"one output of set {next(iter(self.one_of))!r} is true; use 'top', 'mean', 'max' or 'logsumexp'"
            )
        if self.head == "margin" and self.pooling in OF_LOG_ODDS:
            raise ValueError(
                f"pooling {self.pooling!r} reads the scores of cells as log-odds, but head 'margin' (a regression "
                "loss) makes none; use another loss, or 'top', 'mean', 'max' or 'logsumexp'"
            )
        if self.one_of:
            check_head(self.head, self.one_of)
        for field in ("thresholds", "tuned_thresholds"):
            check_no_threshold(getattr(self, field), self.one_of, field)
        if isinstance(self.output, tuple) and len(set(self.output)) != len(self.output):
            raise ValueError(f"output names a head twice: {', '.join(map(str, self.output))}")
        if self.output == ():
            raise ValueError("output is an empty list; omit it, or name the heads")
        if self.set_output is not None:
            self._check_set_output()
        for field in ("thresholds", "tuned_thresholds", "train_counts", "logit_shift", "calibration"):
            for name in getattr(self, field):
                if name not in self.attributes:
                    raise ValueError(f"{field} names {name!r}{nearest(name, self.attributes)}")
        check_set_counts(self.train_counts, self.one_of, "train_counts")
        in_sets = [output for members in self.one_of.values() for output in members]
        for field in ("score_shift", "tuned_offsets"):
            for name in getattr(self, field):
                if name not in in_sets:
                    raise ValueError(f"{field} names {name!r}, which is in no set of outputs{nearest(name, in_sets)}")
        if not self.mean or len(self.mean) != len(self.std) or min(self.std) <= 0:
            raise ValueError(f"mean and std need the same number of channels and std > 0, got {self.mean}, {self.std}")
        if self.fit == "face" and self.input_size[0] != self.input_size[1]:
            raise ValueError(f"a face crop is square, got input_size {self.input_size}")
        if self.architecture == "timm" and self.head == "two_logits" and len(self.attributes) > 1:
            raise ValueError(
                f"a timm model returns one row of numbers, and which {len(self.attributes)} pairs of them belong "
                "together is not defined; write a factory whose module returns (B, A, 2)"
            )
        return self

    def _check_set_output(self) -> None:
        stated = self.output if isinstance(self.output, tuple) else (self.output,)
        if not self.one_of:
            raise ValueError(f"set_output {self.set_output!r} is of outputs in sets, and one_of states none")
        if self.architecture == "timm":
            raise ValueError(f"set_output {self.set_output!r}: a complete timm model has one head; use a factory")
        if None in stated or self.set_output in stated:
            raise ValueError(
                f"set_output {self.set_output!r} is a second output; output names the other one, got {self.output!r}"
            )
        if self.architecture == "attribute_head" and (self.output, self.set_output) != (DECISIONS, LABEL_SETS):
            raise ValueError(
                f"bincam's own heads are called output {DECISIONS!r} and set_output {LABEL_SETS!r}, got "
                f"{self.output!r} and {self.set_output!r}"
            )

    @model_serializer(mode="wrap")
    def _serialised(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what is empty and newer than other fields, so that such cards have the bytes that they had."""
        values: dict[str, Any] = fields(self)
        newer = ("one_of", "score_shift", "tuned_offsets", "pooling_options", "set_output")
        return {name: value for name, value in values.items() if name not in newer or value not in ({}, None)}

    def _pooling(self) -> str:
        options = ", ".join(f"{name} {value:g}" for name, value in self.pooling_options.items())
        return f"{self.pooling}, {options}" if options else self.pooling

    @property
    def set_columns(self) -> dict[str, tuple[int, ...]]:
        """The columns of the outputs of every set."""
        return set_columns(self.one_of, self.attributes)

    @property
    def set_output_columns(self) -> dict[str, tuple[int, ...]]:
        """The columns of the outputs of every set in ``set_output``, which leaves out those in no set."""
        place = {column: at for at, column in enumerate(sorted(c for own in self.set_columns.values() for c in own))}
        return {name: tuple(place[column] for column in own) for name, own in self.set_columns.items()}

    def __repr__(self) -> str:
        return self._table().text()

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return self._table().html()

    def _table(self) -> Table:
        """Tabulate the fields; of fields per attribute only the number of entries is stated."""
        names = ", ".join(self.attributes[:ROWS])
        rows = [
            ("attributes", names if len(self.attributes) <= ROWS else f"{names}, …"),
            ("input", f"{' × '.join(str(side) for side in self.input_size)} pixels, {self.fit}"),
            ("mean", ", ".join(f"{value:g}" for value in self.mean)),
            ("std", ", ".join(f"{value:g}" for value in self.std)),
            ("head", self.head if self.output is None else f"{self.head}, output {self.output!r}"),
            ("pooling", self._pooling() if self.architecture == "attribute_head" else ""),
            ("loss", self.loss or ""),
            ("sets", "; ".join(f"{name}: {counted(len(members), 'output')}" for name, members in self.one_of.items())),
            ("label sets", "" if self.set_output is None else f"from output {self.set_output!r}"),
            ("notes", self.notes),
        ]
        rows += [
            (name.replace("_", " "), f"of {counted(len(entries), 'attribute')}")
            for name in ("thresholds", "tuned_thresholds", "train_counts", "logit_shift", "calibration")
            if (entries := getattr(self, name))
        ]
        title = f"Card of {self.name} ({self.architecture}), {counted(len(self.attributes), 'attribute')}"
        return Table(title, ("field", "value"), [row for row in rows if row[1]], left=2)


def make_card(**fields: Any) -> Card:
    """Make a card from the fields of ``Card``.

    Raises:
        InputError: A field is missing, unknown or invalid; the message is one line.

    Example:
        >>> from bincam.models import make_card
        >>> card = make_card(
        ...     attributes=("Smiling", "Bald"), architecture="timm", name="resnet18", input_size=(224, 224)
        ... )
        >>> card.head, card.fit, card.thresholds
        ('logits', 'stretch', {})
    """
    try:
        return Card(**fields)
    except ValidationError as error:
        raise InputError(f"model card: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    problems = error.errors()
    first = problems[0]
    where = ".".join(str(part) for part in first["loc"])
    suggestion = nearest(where, Card.model_fields) if first["type"] == "extra_forbidden" else ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{f'{where}: ' * bool(where)}{first['msg'].removeprefix('Value error, ')}{suggestion}{more}"


def read_card(folder: str | Path) -> Card:
    """Read ``card.json`` from a model's folder; ``write_card`` has an example.

    Raises:
        InputError: The file is missing, inconsistent, not a model card, or of another schema version.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from bincam import models
        >>> with TemporaryDirectory() as folder:
        ...     models.save(models.build("resnet10t", ["Bald"], input_size=(64, 64)), folder)
        ...     models.read_card(folder).attributes
        ('Bald',)
    """
    fields = _read(folder)
    try:
        return Card.model_validate({key: value for key, value in fields.items() if key not in _OF_THE_FILE})
    except ValidationError as error:
        raise InputError(f"{Path(folder) / FILE}: {_first(error)}") from None


def weights_of(folder: str | Path) -> str | None:
    """Read the SHA-256 of the weights file with which a card was written; None if the card does not state it.

    Raises:
        InputError: As for ``read_card``.
    """
    digest = _read(folder).get(_WEIGHTS)
    if not isinstance(digest, str | None):
        raise InputError(f"{Path(folder) / FILE}: {_WEIGHTS} is {digest!r}, expected text; save the model again")
    return digest


def write_card(folder: str | Path, card: Card, *, weights: str | None = None) -> None:
    """Write ``card.json`` into a model's folder.

    Args:
        folder: The folder; created if missing.
        card: The card.
        weights: SHA-256 of the weights file to which it belongs, so that ``load`` can detect a mismatch.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from bincam.models import make_card, read_card, write_card
        >>> card = make_card(attributes=("Bald",), architecture="timm", name="resnet18", input_size=(224, 224))
        >>> with TemporaryDirectory() as folder:
        ...     write_card(folder, card)
        ...     read_card(folder) == card
        True
    """
    digest = {} if weights is None else {_WEIGHTS: weights}
    write_json(Path(folder) / FILE, {"kind": KIND, "schema": SCHEMA, **digest, **card.model_dump(mode="json")})


def _read(folder: str | Path) -> dict[str, Any]:
    return read_json(Path(folder) / FILE, kind=KIND, schema=SCHEMA)
