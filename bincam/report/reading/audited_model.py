"""One audited model: its estimates, records as arrays, and mean maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.parts.columns import read_clusters
from bincam.audit.folder.parts.sampled import is_long, readable
from bincam.audit.summary.summarize import SHORT, column_of
from bincam.compare.names import phrase
from bincam.display import counted
from bincam.errors import InputError
from bincam.report.reading.long_records import LongRecords
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import Estimate
from bincam.stats.outcomes import answers, basic_name, basic_rate

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

BIAS_SHARE = SHORT["bias_share"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Arm:
    """One audited model.

    Attributes:
        name: Name in the report and its downloads.
        key: Key of the model in a contrast's document; its name by default.
        role: True where the name is a role, as in "the balanced model".
        audit: Its audit.
        summary: Content of ``summary.json``.
        classes: Audit whose training counts define the minority class, if not its own: both models of a contrast
            are described by the classes of the first.
    """

    name: str
    audit: Audit
    summary: Mapping[str, Any]
    classes: Audit | None = None
    key: str = ""
    role: bool = False

    @cached_property
    def sample(self) -> Audit:
        """The audit, or a random sample of a long one's images: what needs sets, grids or boxes of all at once."""
        return readable(self.audit)

    @cached_property
    def long(self) -> LongRecords | None:
        """The records of a long audit, read for some attributes at a time; None where they are read at once."""
        if not is_long(self.audit):
            return None
        own, counts = self.audit.manifest.yes_or_no, (self.classes or self.audit).manifest.train_counts
        shared = [name for name in own if name in counts]
        return LongRecords(self.audit, [*by_share(self, shared), *(name for name in own if name not in counts)])

    @property
    def phrase(self) -> str:
        """The model in a sentence."""
        return phrase(self.name, role=self.role)

    @property
    def label(self) -> str:
        """The name as the page shows it."""
        return self.name

    @property
    def method(self) -> str:
        """The primary method, whose maps are drawn."""
        return self.audit.methods[0]

    def entry(self, attribute: str) -> Mapping[str, Any]:
        """Return the attribute's part of the summary."""
        entries: Mapping[str, Mapping[str, Any]] = self.summary["attributes"]
        if attribute not in entries:
            raise InputError(
                f"{self.audit.folder}: summary.json has no {attribute!r}; make it again with 'bincam summarise'"
            )
        return entries[attribute]

    def rate(self, attribute: str, measure: str) -> Estimate:
        """Return a rate such as ``minority_error``."""
        return Estimate.from_json(self.entry(attribute).get("rates", {}).get(self.rate_name(attribute, measure)))

    def rate_name(self, attribute: str, measure: str) -> str:
        """Name a rate by its sign: ``minority_error`` is ``fnr`` where the minority is positive, else ``fpr``."""
        return basic_rate(measure, self.minority(attribute))

    def measure(self, attribute: str, column: str, group: str) -> Estimate:
        """Return the mean of a record column in a group of images; a bare name means the primary method."""
        groups = self._column(self.entry(attribute).get("measures", {}), column)
        return Estimate.from_json(groups.get(basic_name(group, self.minority(attribute))))

    def overall(self, attributes: Sequence[str], measure: str, group: str = "") -> Estimate:
        """Return a mean over attributes: of a rate or, with a group, of a record column.

        It has no interval where the summary's own mean is of other attributes or classes.
        """
        if set(attributes) != set(self.audit.manifest.yes_or_no) or any(self.turned(name) for name in attributes):
            return self.mean_of(attributes, measure, group)
        overall = self.summary.get("overall") or {}
        if not group:
            return Estimate.from_json((overall.get("rates") or {}).get(measure))
        return Estimate.from_json(self._column(overall.get("measures") or {}, measure).get(group))

    def mean_of(self, attributes: Sequence[str], measure: str, group: str = "") -> Estimate:
        """Average the attributes given, without an interval; those that are undefined are left out."""
        every = [self.measure(name, measure, group) if group else self.rate(name, measure) for name in attributes]
        defined = [estimate for estimate in every if estimate.defined]
        if not defined:
            return Estimate.of_value(math.nan)
        people = [estimate.identities for estimate in defined if estimate.identities is not None]
        return Estimate(
            sum(estimate.value for estimate in defined) / len(defined),
            math.nan,
            math.nan,
            max(estimate.images for estimate in defined),
            max(people) if people else None,
            "small" if any(estimate.small for estimate in defined) else "ok",
            "no interval",
        )

    def _column(self, measures: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        groups: Mapping[str, Any] = measures.get(name) or measures.get(column_of(name, self.audit.methods)) or {}
        return groups

    def family(self, name: str) -> Mapping[str, Any] | None:
        """Return a family of tests, with its size and the number of findings after Holm's correction."""
        return next((family for family in self.summary.get("families") or () if family["name"] == name), None)

    @property
    def gate(self) -> Mapping[str, Any] | None:
        """The model-parameter randomisation test of the primary method; None where it was not run."""
        return (self.summary.get("gates") or {}).get(self.method)

    def minority(self, attribute: str) -> int:
        """Return +1 where positives are the minority in training, else -1; in a contrast, in the first's training."""
        return (self.classes or self.audit).minority(attribute)

    def turned(self, attribute: str) -> bool:
        """Return True where this model's own training counts make the other class the minority."""
        return self.audit.minority(attribute) != self.minority(attribute)

    def train_counts(self, attribute: str) -> tuple[int, int]:
        """Return negatives and positives in the training counts that define the minority class."""
        negatives, positives = (self.classes or self.audit).manifest.train_counts[attribute]
        return int(negatives), int(positives)

    def tied(self, attribute: str) -> bool:
        """Return True where both classes are equally frequent in these counts, so that neither is a minority."""
        negatives, positives = self.train_counts(attribute)
        return negatives == positives

    def trained_counts(self, attribute: str) -> bool:
        """Return True where these are counts of the training labels, False where the audited labels were counted."""
        manifest = (self.classes or self.audit).manifest
        if manifest.train_counts_from == "card":
            return True
        of_card = manifest.model.card.get("train_counts") or {}
        return manifest.train_counts_from.startswith("card;") and attribute in of_card

    @cached_property
    def columns(self) -> dict[str, NDArray[Any]]:
        """All records of an audit that is not long: ``row`` ``(N,)``, others ``(N, A)``: float64, or strings."""
        names = ["row", "attribute", "label", "logit", "threshold", "side", "outcome", BIAS_SHARE]
        frame = self.audit.records(names)
        count = len(self.audit.attributes)
        if len(frame) % count:
            raise InputError(
                f"{self.audit.folder}: {len(frame)} records are not a multiple of {counted(count, 'attribute')}; "
                "repeat the audit"
            )
        table = {
            name: frame[name].to_numpy(dtype=np.float64).reshape(-1, count)
            for name in ("label", "logit", "threshold", "side", BIAS_SHARE)
        }
        table["outcome"] = frame["outcome"].astype(str).to_numpy().reshape(-1, count)
        table["row"] = frame["row"].to_numpy(dtype=np.int64).reshape(-1, count)[:, 0]
        return table

    def answers(self, attribute: str) -> NDArray[np.int8]:
        """Return the predicted classes ``(N,)``: +1 or -1, or 0 without a finite logit."""
        return answers(self.column(attribute, "logit"), self.column(attribute, "threshold"))

    @property
    def rows(self) -> NDArray[np.int64]:
        """``(N,)``: the rows of the images that were read, ascending."""
        return self.columns["row"] if self.long is None else self.long.rows

    @cached_property
    def clusters(self) -> Clusters:
        """Clusters of these images."""
        if self.long is not None:
            return read_clusters(self.audit, self.rows)
        return Clusters.of(self.audit.images.set_index("row").loc[self.rows, "identity"].astype(str))

    def position(self, row: int) -> int | None:
        """Return the position of a row of the data in the records; None for an image that was not read."""
        return position_of(row, self.rows)

    @cached_property
    def sample_rows(self) -> NDArray[np.int64]:
        """The rows of the images of the sample that were read, ascending."""
        some = self.sample.some_rows
        return self.rows if some is None else np.intersect1d(some, self.rows)

    def threshold(self, attribute: str) -> float:
        """Return the threshold of the first image."""
        if self.long is not None:
            return self.long.threshold(attribute)
        return float(self.column(attribute, "threshold")[0])

    def column(self, attribute: str, name: str) -> NDArray[Any]:
        """Return a column of the records ``(N,)`` for one attribute; of a long audit, for one that is in no set."""
        if self.long is not None:
            return self.long.column(attribute, name)
        values: NDArray[Any] = self.columns[name][:, self.index(attribute)]
        return values

    def side(self, row: int, attribute: str) -> float:
        """Return the side that the map of an image explains, +1 or -1; 0 where there is none, or no image."""
        position = self.position(row)
        if position is None:
            return 0.0
        if self.long is not None:
            return self.audit.record_of(row, attribute, "side")
        return float(self.column(attribute, "side")[position])

    def index(self, attribute: str) -> int:
        """Return the attribute's position in this audit."""
        return self.audit.attributes.index(attribute)

    @cached_property
    def means(self) -> tuple[Floats, Floats]:
        """Mean σS ``(A, 4, h, w)`` of the primary method by outcome (NaN without images), and counts ``(A, 4)``."""
        sums, counts = self.audit.means(self.method)
        with np.errstate(invalid="ignore", divide="ignore"):
            return sums / counts[..., None, None], counts

    def map_of(self, row: int, attribute: str) -> Floats | None:
        """Return the map ``(h, w)`` of the image of a row; None for an image that was not read."""
        position = self.position(row)
        if position is None:
            return None
        if self.long is not None:
            return np.asarray(self.audit.map_of(row, attribute, self.method), dtype=np.float64)
        column = self.index(attribute)
        for part, start in zip(self._parts, self._starts, strict=True):
            if position < start + len(part):
                return np.asarray(part[position - start, column], dtype=np.float64)
        raise InputError(f"{self.audit.folder}: the maps end before record {position}; make the audit again")

    @cached_property
    def _parts(self) -> list[NDArray[np.float16]]:
        return list(self.audit.maps(self.method))  # memory-mapped: only the maps that are used are read

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(len(part) for part in self._parts)][:-1]


def position_of(row: int, rows: NDArray[np.integer]) -> int | None:
    """Find a row among ascending ones.

    >>> position_of(7, np.array([2, 7, 9])), position_of(8, np.array([2, 7, 9]))
    (1, None)
    """
    at = int(np.searchsorted(rows, row))
    return at if at < len(rows) and rows[at] == row else None


def common(arms: Sequence[Arm]) -> list[str]:
    """Return the attributes that all arms have, the most imbalanced training counts first; ties by name."""
    of_first, *of_others = (arm.audit.manifest.yes_or_no for arm in arms)
    return by_share(arms[0], [name for name in of_first if all(name in of_other for of_other in of_others)])


def by_share(arm: Arm, attributes: Sequence[str]) -> list[str]:
    """Sort attributes as a page lists them: the most imbalanced training counts first; ties by name."""
    shares = {name: minority_share(arm, name) for name in attributes}
    return sorted(attributes, key=lambda name: (math.isnan(shares[name]), shares[name], name))


def minority_share(arm: Arm, attribute: str) -> float:
    """Return the minority's share of the counted labels; NaN where none were counted."""
    counts = arm.train_counts(attribute)
    return min(counts) / sum(counts) if sum(counts) else math.nan
