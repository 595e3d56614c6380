"""The subject of a zoom study: the model, the images and the questions, from an audit or by themselves."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bincam.audit.folder.audit import Audit
from bincam.audit.pipeline.defaults import choose_split, common, train_counts
from bincam.audit.pipeline.sets.matching import chosen_sets, match_sets, unmatched_sets
from bincam.data import AttributeTable
from bincam.display import counted
from bincam.errors import BincamWarning, InputError
from bincam.inference.zoom.batches import check_photographs
from bincam.models import AttributeClassifier
from bincam.one_of import Sets, expand
from bincam.provenance import images_hash, model_digest
from bincam.stats.clusters import Clusters
from bincam.studies.zoom.question import Question


@dataclass(frozen=True)
class Subject:
    """What is looked at.

    Attributes:
        model: The classifier; its card has the thresholds of the study.
        table: The N images, with the labels of the A outputs that are asked for.
        questions: Attributes and sets.
        stated: What the result depends on besides the plan, as JSON has it.
        audit: The audit, if any.
        skipped: Audited images that could not be read, which are left out.
        notes: What was decided without being asked for.
    """

    model: AttributeClassifier
    table: AttributeTable
    questions: tuple[Question, ...]
    stated: dict[str, Any]
    audit: Audit | None = None
    skipped: int = 0
    notes: tuple[str, ...] = ()

    @classmethod
    def of_audit(
        cls, audit: Audit, model: AttributeClassifier, data: AttributeTable, *, limit: int | None = None, seed: int = 0
    ) -> Subject:
        """Take the images, attributes and thresholds of an audit.

        Args:
            audit: The audit.
            model: The audited model.
            data: The audited data set, with all its splits.
            limit: Look at no more images than this: a stratified draw.
            seed: Of the draw.

        Raises:
            InputError: Model or data are not those that were audited.
        """
        check_photographs(model.card, data.value_range)
        manifest = audit.manifest
        if model_digest(model) != manifest.model.digest:
            raise InputError(
                f"{audit.folder}: the model is not the audited one ({manifest.model.source}): card or weights differ; "
                "name the audited model with --model, or audit this one"
            )
        if data.digest() != manifest.data.digest:
            raise InputError(
                f"{audit.folder}: the data is not what was audited ({manifest.data.source}): images, labels or columns "
                "differ; name the audited data with --data, or audit this one"
            )
        row_of = {name: row for row, name in enumerate(data.ids)}
        audited = data.take([row_of[name] for name in audit.images["image"]])
        if images_hash(audited) != manifest.data.images_hash:
            raise InputError(
                f"{audit.folder}: image files in {data.root} are missing or differ from those that were audited; "
                "restore them, or audit again"
            )
        names = [name for name in model.card.attributes if name in (*manifest.yes_or_no, *_members(audit.one_of))]
        table = _matched(model, audited, names)
        skipped = np.asarray(audit.images["skipped"] != "")
        table = _drawn(table.take(~skipped), limit, seed)
        thresholds = {name: float(manifest.thresholds.get(name, 0.0)) for name in manifest.yes_or_no}
        questions = Question.all_of(table.names, table.one_of, manifest.train_counts)
        stated = {"limit": limit, "seed": seed if limit is not None else None}
        return cls(_deciding(model, thresholds), table, questions, stated, audit, int(skipped.sum()))

    @classmethod
    def of_data(
        cls,
        model: AttributeClassifier,
        data: AttributeTable,
        *,
        split: str | None = "test",
        attributes: Sequence[str] | None = None,
        limit: int | None = None,
        seed: int = 0,
    ) -> Subject:
        """Take a model and a data set that were not audited.

        Args:
            model: The model; decisions are those of its card's thresholds.
            data: The data set.
            split: Split; None for every image.
            attributes: Attributes and sets to ask for; None for all that model and data share.
            limit: As for ``of_audit``.
            seed: Of the draw.

        Raises:
            InputError: Model and data share no attribute, or an attribute or split is not there.
        """
        card = model.card
        check_photographs(card, data.value_range)
        matched = match_sets(card, data)
        wanted = None if attributes is None else expand(attributes, card.one_of)
        names, _, _ = common(card.attributes, matched.names, wanted, card.one_of)
        notes = unmatched_sets(card, data)
        table = _matched(model, matched if split is None else choose_split(matched, split), names)
        digest = images_hash(table)
        table = _drawn(table, limit, seed)
        counts, _ = train_counts(model, table, notes)
        stated = {
            "model": model_digest(model),
            "data": data.digest(),
            "files": digest,
            "split": split,
            "outputs": list(table.names),
            "limit": limit,
            "seed": seed if limit is not None else None,
        }
        questions = Question.all_of(table.names, table.one_of, counts)
        return cls(model, table, questions, stated, notes=tuple(notes))

    @property
    def columns(self) -> list[int]:
        """The columns of the model's output that are asked for."""
        return [self.model.card.attributes.index(name) for name in self.table.names]

    @property
    def people(self) -> list[str]:
        """The person of every image, empty where unknown."""
        known = self.table.identities
        return [""] * len(self.table) if known is None else [str(name) for name in known]

    @property
    def clusters(self) -> Clusters:
        """Clusters of the N images."""
        return Clusters.of(self.people)


def _members(one_of: Sets) -> list[str]:
    return [output for members in one_of.values() for output in members]


def _matched(model: AttributeClassifier, data: AttributeTable, names: Sequence[str]) -> AttributeTable:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BincamWarning)  # of absent classes; each figure states its images
        matched = match_sets(model.card, data)
    chosen = chosen_sets(matched.one_of, names)
    return replace(matched.select(names), one_of=chosen)


def _drawn(table: AttributeTable, limit: int | None, seed: int) -> AttributeTable:
    if not len(table):
        raise InputError(f"{table.source or table.root}: no images to look at")
    if limit is not None and limit < 1:
        raise InputError(f"limit={limit}: expected at least {counted(1, 'image')}")
    return table if limit is None or limit >= len(table) else table.subset(limit, seed=seed)


def _deciding(model: AttributeClassifier, thresholds: dict[str, float]) -> AttributeClassifier:
    """The same network with a card that decides as the audit did."""
    card = model.card.model_copy(update={"thresholds": {**model.card.thresholds, **thresholds}})
    deciding = AttributeClassifier(model.network, card)
    deciding.training = model.training  # train() would also change the network, which is the caller's
    return deciding
