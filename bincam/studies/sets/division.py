"""The images to calibrate on and those to judge: another audit of the same model, or a share of the audit's people."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bincam.display import counted
from bincam.errors import BincamWarning, InputError
from bincam.postprocessing.label_sets import generator
from bincam.storage import shown
from bincam.studies.sets.scored import Scored, read_scored

if TYPE_CHECKING:
    from bincam.audit.folder.audit import Audit


@dataclass(frozen=True, eq=False)
class Division:
    """Images to calibrate on, and images to judge.

    Attributes:
        calibration: The former.
        judged: The latter, with the audit's divisions.
        source: What the calibration is, in words.
        notes: What a reader must know of it.
        second_head: True if scores of sets are those of the model's second head, which is for label sets alone.
    """

    calibration: Scored
    judged: Scored
    source: str
    notes: tuple[str, ...] = ()
    second_head: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the numbers of images and people of both as JSON has them."""
        return {
            "calibration": {"source": self.source, **_counts(self.calibration)},
            "judged": _counts(self.judged),
            "notes": list(self.notes),
        }


OF_TRAINING = "training images, whose scores are too sure: sets of other images are too small"


def divide_people(audit: Audit, share: float, seed: int) -> Division:
    """Divide an audit's images by people, drawn by a seed; without identities by image.

    Raises:
        InputError: There are fewer than two people.
    """
    scored = read_scored(audit)
    codes = np.arange(scored.count) if scored.people is None else scored.people
    people = np.unique(codes)
    if len(people) < 2:
        raise InputError(
            f"{counted(scored.count, 'image')} of {counted(len(people), 'person', 'people')}: nobody is left to judge; "
            "calibrate on an audit of other people"
        )
    number = min(max(round(share * len(people)), 1), len(people) - 1)
    chosen = np.isin(codes, generator(seed, 2).permutation(people)[:number])
    notes = []
    if scored.people is None:
        notes.append(
            "the data names no identities, so images of one person may be on both sides, and intervals and coverage "
            "would be too good"
        )
    if audit.manifest.data.split == "train":
        notes.append(f"calibrated and judged on {OF_TRAINING}, and cover less than is stated here")
        warnings.warn(f"{audit.folder}: {notes[-1]}", BincamWarning, stacklevel=2)
    what = "images" if scored.people is None else "people"
    return Division(
        scored.take(np.flatnonzero(chosen)),
        scored.take(np.flatnonzero(~chosen)),
        f"{number:,} of {len(people):,} {what} of this audit",
        tuple(notes) + heads_note(audit),
        audit.manifest.second_head,
    )


def divide_audits(audit: Audit, calibration: Audit) -> Division:
    """Calibrate on another audit of the same model, whose outputs may be in another order.

    Of the same data, images of people who are judged are left out of the calibration.

    Raises:
        InputError: It is of another model or of other outputs, or of the same images.
    """
    check_model(audit, calibration)
    check_outputs(audit, calibration)
    if calibration.digest == audit.digest or _same_images(audit, calibration):
        raise InputError(
            f"{calibration.folder}: an audit of the very images that are judged; calibrate on another split, or on a "
            "share of the people with --calibrate half"
        )
    judged, other = read_scored(audit), read_scored(calibration, divided=False)
    other = other.ordered(judged.attributes, {name: of_set.outputs for name, of_set in judged.sets.items()})
    notes = []
    if other.people is None:
        notes.append("the calibration names no identities; several images of one person in it would void the guarantee")
    if _same_data(audit, calibration):
        known = other.identities != ""
        shared = known & np.isin(other.identities, judged.identities)
        shared |= np.isin(other.images, judged.images)
        if shared.all():
            raise InputError(f"{calibration.folder}: all of its people are judged; calibrate on an audit of others")
        if shared.any():
            notes.append(
                f"{counted(int(shared.sum()), 'image')} of the calibration left out, because their people are judged"
            )
            other = other.take(np.flatnonzero(~shared))
    if calibration.manifest.data.split == "train":
        notes.append(f"calibrated on {OF_TRAINING}")
        warnings.warn(f"{calibration.folder}: {notes[-1]}", BincamWarning, stacklevel=2)
    split = calibration.manifest.data.split
    source = f"the audit {shown(calibration.folder)}" + (f" of split {split}" if split else "")
    return Division(other, judged, source, tuple(notes) + heads_note(audit), audit.manifest.second_head)


def heads_note(audit: Audit) -> tuple[str, ...]:
    """Say which head's sets these are, where the model has a second one for label sets.

    Warns:
        BincamWarning: The audit does not store the scores of the second head.
    """
    manifest = audit.manifest
    if manifest.second_head:
        return (f"sets of outputs ({', '.join(audit.one_of)}) are those of the model's second head, by its logistic",)
    if manifest.model.card.get("set_output") is None or not audit.one_of:
        return ()
    note = (
        "the model has a second head for label sets, whose scores this audit of an earlier bincam does not store: "
        "these sets are made of the softmax of its first; audit again to have those of the second"
    )
    warnings.warn(f"{audit.folder}: {note}", BincamWarning, stacklevel=3)
    return (note,)


def check_model(audit: Audit, calibration: Audit) -> None:
    """Refuse a calibration of another model, of another head, or of other views of each image: their scores differ.

    Raises:
        InputError: The digests of card and weights, the stored heads or the views differ.
    """
    if audit.manifest.model.digest != calibration.manifest.model.digest:
        raise InputError(
            f"{calibration.folder}: an audit of another model ({calibration.manifest.model.source}, not "
            f"{audit.manifest.model.source}: card or weights differ); calibrate on an audit of the same one"
        )
    if audit.manifest.second_head != calibration.manifest.second_head:
        older = next(one for one in (audit, calibration) if not one.manifest.second_head)
        raise InputError(
            f"{older.folder}: an audit of an earlier bincam, which did not store the scores of the model's second head "
            "for label sets; audit that split again"
        )
    if audit.manifest.views != calibration.manifest.views:
        raise InputError(
            f"{calibration.folder}: an audit of other views of each image than {audit.folder}, so its scores are "
            "others; audit both splits with the same --views, or both without"
        )


def check_outputs(audit: Audit, calibration: Audit) -> None:
    """Refuse a calibration of other attributes, sets or outputs; their order does not matter.

    Raises:
        InputError: Some are in one of the two alone.
    """
    own, other = (_named(one) for one in (audit, calibration))
    missing, strange = sorted(own - other), sorted(other - own)
    if missing or strange:
        what = f"lacks {', '.join(missing[:5])}" if missing else f"has {', '.join(strange[:5])} as well"
        raise InputError(
            f"{calibration.folder}: an audit of other outputs than {audit.folder}: it {what}; audit both splits with "
            "the same --attributes"
        )


def _named(audit: Audit) -> set[str]:
    outputs = {f"{output!r} of {name!r}" for name, members in audit.one_of.items() for output in members}
    return {*(repr(name) for name in audit.manifest.yes_or_no), *outputs}


def _same_images(audit: Audit, calibration: Audit) -> bool:
    own, other = audit.manifest.data, calibration.manifest.data
    return own.images_hash == other.images_hash and own.digest == other.digest and own.images == other.images


def _same_data(audit: Audit, calibration: Audit) -> bool:
    """Names of people and images mean the same in both."""
    own, other = audit.manifest.data, calibration.manifest.data
    return own.digest == other.digest or own.source == other.source


def _counts(scored: Scored) -> dict[str, Any]:
    people = None if scored.people is None else len(np.unique(scored.people))
    return {"images": scored.count, "identities": people}
