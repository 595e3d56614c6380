"""What a report reads of one audited model: its numbers, its records as arrays, its mean maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.report.figures.overlays import outline
from bincam.stats.outcomes import answers, basic_name, basic_rate

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

BIAS_SHARE = "midpoint.bias_share"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Number:
    """A figure with its interval.

    Attributes:
        value: NaN where undefined.
        low: Lower end of the interval; NaN without one.
        high: Upper end.
        images: How many images it rests on.
        identities: How many people; None where unknown.
        status: ``ok``, ``small`` (too few to rely on) or ``undefined``.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    images: int = 0
    identities: int | None = None
    status: str = "ok"

    @property
    def defined(self) -> bool:
        """Whether there is a value."""
        return math.isfinite(self.value)

    @property
    def small(self) -> bool:
        """Whether the cell is too small to rely on."""
        return self.status == "small"

    def times(self, factor: float) -> Number:
        """The same in another unit."""
        return replace(self, value=self.value * factor, low=self.low * factor, high=self.high * factor)

    @classmethod
    def read(cls, estimate: Mapping[str, Any] | None) -> Number:
        """An estimate as ``summary.json`` holds it; None is undefined."""
        if not estimate:
            return UNDEFINED
        value, low, high = (_float(estimate.get(key)) for key in ("value", "low", "high"))
        status = str(estimate.get("status", "ok"))
        return cls(value, low, high, int(estimate.get("images") or 0), estimate.get("identities"), status)


UNDEFINED = Number(math.nan, status="undefined")


@dataclass(frozen=True)
class Arm:
    """One audited model.

    Attributes:
        name: How the report calls it.
        audit: Its audit.
        summary: What its records come to.
        classes: The audit whose training counts say which class is the minority, if not its own: the models of a
            contrast are told of the same classes, the first model's.
    """

    name: str
    audit: Audit
    summary: Mapping[str, Any]
    classes: Audit | None = None

    @property
    def method(self) -> str:
        """The primary method, whose maps are drawn."""
        return self.audit.methods[0]

    def entry(self, attribute: str) -> Mapping[str, Any]:
        """The attribute's part of the summary."""
        entries: Mapping[str, Mapping[str, Any]] = self.summary["attributes"]
        if attribute not in entries:
            raise InputError(f"{self.audit.folder}: summary.json has no {attribute!r}; make the summary again")
        return entries[attribute]

    def rate(self, attribute: str, measure: str) -> Number:
        """A rate such as ``minority_error``."""
        return Number.read(self.entry(attribute).get("rates", {}).get(self.rate_name(attribute, measure)))

    def rate_name(self, attribute: str, measure: str) -> str:
        """A rate by its sign: ``minority_error`` is ``fnr`` where the minority is positive, else ``fpr``."""
        return basic_rate(measure, self.minority(attribute))

    def measure(self, attribute: str, column: str, group: str) -> Number:
        """The mean of a record column in a group of images; a bare name is the primary method's."""
        held = self._column(self.entry(attribute).get("measures", {}), column)
        return Number.read(held.get(basic_name(group, self.minority(attribute))))

    def overall(self, attributes: Sequence[str], measure: str, group: str = "") -> Number:
        """A mean over the attributes: of a rate, or with a group, of a record column.

        Without an interval where the summary's own mean is of other attributes or of other classes.
        """
        if set(attributes) != set(self.audit.attributes) or any(self.turned(name) for name in attributes):
            return self._mean(attributes, measure, group)
        held = self.summary.get("overall") or {}
        if not group:
            return Number.read((held.get("rates") or {}).get(measure))
        return Number.read(self._column(held.get("measures") or {}, measure).get(group))

    def _mean(self, attributes: Sequence[str], measure: str, group: str) -> Number:
        read = (self.measure(name, measure, group) if group else self.rate(name, measure) for name in attributes)
        values = [number.value for number in read if number.defined]
        return Number(sum(values) / len(values)) if values else UNDEFINED

    def _column(self, measures: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        full = {"bias_share": BIAS_SHARE}.get(name, f"{self.method}.{name}")
        found: Mapping[str, Any] = measures.get(name) or measures.get(full) or {}
        return found

    def family(self, name: str) -> Mapping[str, Any] | None:
        """A family of tests, with how many there were and how many findings are left after Holm's correction."""
        return next((one for one in self.summary.get("families") or () if one["name"] == name), None)

    @property
    def gate(self) -> Mapping[str, Any] | None:
        """Whether the primary method's maps depend on the model's parameters; None where this was not tested."""
        return (self.summary.get("gates") or {}).get(self.method)

    def minority(self, attribute: str) -> int:
        """+1 where the positives were rarer in training, else -1; in a contrast, in the first model's."""
        return (self.classes or self.audit).minority(attribute)

    def turned(self, attribute: str) -> bool:
        """Whether this model's own training counts make the other class the minority."""
        return self.audit.minority(attribute) != self.minority(attribute)

    def train_counts(self, attribute: str) -> tuple[int, int]:
        """Negatives and positives, of those counts that say which class is the minority."""
        negatives, positives = (self.classes or self.audit).manifest.train_counts[attribute]
        return int(negatives), int(positives)

    @cached_property
    def columns(self) -> dict[str, NDArray[Any]]:
        """Records as arrays: ``row`` ``(N,)``, the rest ``(N, A)`` float64 and ``outcome`` as strings."""
        names = ["row", "attribute", "label", "logit", "threshold", "outcome", BIAS_SHARE]
        frame = self.audit.records(names)
        count = len(self.audit.attributes)
        if len(frame) % count:
            raise InputError(f"{self.audit.folder}: {len(frame)} records are no whole images of {count} attributes")
        table = {
            name: frame[name].to_numpy(dtype=np.float64).reshape(-1, count)
            for name in ("label", "logit", "threshold", BIAS_SHARE)
        }
        table["outcome"] = frame["outcome"].astype(str).to_numpy().reshape(-1, count)
        table["row"] = frame["row"].to_numpy(dtype=np.int64).reshape(-1, count)[:, 0]
        return table

    def answers(self, attribute: str) -> NDArray[np.int8]:
        """``(N,)``: +1 or -1, the predicted class, whichever was explained; 0 without a finite logit."""
        return answers(self.column(attribute, "logit"), self.column(attribute, "threshold"))

    @cached_property
    def positions(self) -> dict[int, int]:
        """Row of the data to position in the records; rows that could not be read have none."""
        return {int(row): position for position, row in enumerate(self.columns["row"])}

    def column(self, attribute: str, name: str) -> NDArray[Any]:
        """``(N,)``: a column of the records, of one attribute."""
        values: NDArray[Any] = self.columns[name][:, self.index(attribute)]
        return values

    def index(self, attribute: str) -> int:
        """Where the attribute stands in this audit."""
        return self.audit.attributes.index(attribute)

    @cached_property
    def means(self) -> tuple[Floats, Floats]:
        """Mean σS ``(A, 4, h, w)`` of the primary method by outcome (NaN where no image), and counts ``(A, 4)``."""
        sums, counts = self.audit.means(self.method)
        with np.errstate(invalid="ignore", divide="ignore"):
            return sums / counts[..., None, None], counts

    @cached_property
    def outlines(self) -> dict[str, str]:
        """The attributes' mean regions as SVG paths; empty without a region."""
        try:
            regions = self.audit.regions()
        except InputError:
            return {}
        return {name: outline(mask) for name, mask in zip(self.audit.attributes, regions, strict=True)}

    def map(self, position: int, attribute: str) -> Floats:
        """``(h, w)``: the map of the image at a position of the records."""
        column = self.index(attribute)
        for part, start in zip(self._parts, self._starts, strict=True):
            if position < start + len(part):
                return np.asarray(part[position - start, column], dtype=np.float64)
        raise InputError(f"{self.audit.folder}: the maps end before record {position}; make the audit again")

    @cached_property
    def _parts(self) -> list[NDArray[np.float16]]:
        return list(self.audit.maps(self.method))  # memory-mapped: only what is looked at is read

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(len(part) for part in self._parts)][:-1]


def common(arms: Sequence[Arm]) -> list[str]:
    """The attributes that all arms have, the most lopsided training counts first; ties by name."""
    names = [name for name in arms[0].audit.attributes if all(name in arm.audit.attributes for arm in arms)]
    shares = {name: minority_share(arms[0], name) for name in names}
    return sorted(names, key=lambda name: (math.isnan(shares[name]), shares[name], name))


def minority_share(arm: Arm, attribute: str) -> float:
    """The rarer class's share of the training labels; NaN where none were counted."""
    counts = arm.train_counts(attribute)
    return min(counts) / sum(counts) if sum(counts) else math.nan


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)
