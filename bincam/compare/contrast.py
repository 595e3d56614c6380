"""Contrast of two models on the same images: how they differ, and if an adjusted threshold explains it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bincam.audit.folder.parts.sampled import is_long, of_a_sample, readable
from bincam.audit.summary.reference_variation import reference_name
from bincam.compare import published as published_figures
from bincam.compare.boxes import box_findings, contrast_boxes
from bincam.compare.differing_maps import DIFFERENCE, difference_maps
from bincam.compare.document import Contrast, sealed
from bincam.compare.groups.gaps import contrast_gaps
from bincam.compare.groups.sentences import gap_findings
from bincam.compare.imbalance_correlation import correlations
from bincam.compare.names import names_of, notes_on
from bincam.compare.paired_audits import Pair
from bincam.compare.paired_differences import COLUMNS, Contrasted, contrast_attributes, contrast_families
from bincam.compare.pairs.differences import contrast_streamed
from bincam.compare.pairs.opened import pair_records
from bincam.compare.pairs.paired import Paired
from bincam.compare.pairs.streamed import StreamedPair
from bincam.compare.reference_variation import vary_reference
from bincam.compare.sentences import attribute_sentences, findings, threshold_verdict
from bincam.compare.sets.differences import contrast_sets
from bincam.compare.sets.sentences import set_findings, set_sentences
from bincam.errors import InputError
from bincam.files import write_json
from bincam.folder_lock import take
from bincam.stats.clustered.average_errors import AverageErrors, average_errors_of
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.outcomes import class_name
from bincam.stats.proportions import RESAMPLES
from bincam.storage import address_of

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

KIND, SCHEMA = "bincam-contrast", 1
FILE = "contrast.json"


def compare(
    first: Audit,
    second: Audit,
    out: str | os.PathLike[str],
    *,
    moved: Mapping[str, float] | None = None,
    moved_from: str = "given",
    published: bool = False,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Contrast:
    """Compare two audits of the same images, and write the contrast's folder.

    Args:
        first: Audit of the first model, such as one trained without class weights: its thresholds are adjusted, and
            its training counts define the minority class.
        second: Audit of the second model.
        out: Folder for ``contrast.json`` and ``maps/difference.safetensors``.
        moved: Adjusted thresholds for the first model, tuned on validation images, in logit units; by default those
            of the first model's card, else those that its audit chose on the reference split.
        moved_from: Origin of ``moved``, which is recorded.
        published: Compare with the source paper's figures, too.
        level: Confidence level.
        resamples: Recorded; no interval of a contrast is resampled.
        seed: Recorded.

    Returns:
        The content of ``contrast.json``, a dictionary that shows and draws itself.

    Raises:
        InputError: The audits differ in images, labels, sides or regions, or have no attribute or method in common;
            or another process is writing ``out``.

    Example:
        Two small models with random weights are audited on twelve generated images:

        >>> import tempfile, warnings
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from bincam.audit import Settings, run
        >>> from bincam.compare import compare
        >>> from bincam.data import AttributeTable, write_celeba
        >>> from bincam.models import build
        >>> random, folder = np.random.default_rng(0), Path(tempfile.mkdtemp())
        >>> images = random.integers(0, 256, (12, 32, 32, 3)).astype(np.uint8)
        >>> ids, labels = [f"{n}.png" for n in range(12)], np.float32([[0], [0], [1]] * 4)
        >>> table = AttributeTable(
        ...     names=("Smiling",), labels=labels, ids=tuple(ids), root=folder, splits=np.array(["test"] * 12)
        ... )
        >>> data = write_celeba(table, images, folder / "data")
        >>> audits = []
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")  # no regions, no references, no training counts
        ...     for name in ("unbalanced", "balanced"):
        ...         model = build(
        ...             "resnet10t", ["Smiling"], channels=[8, 8, 8, 8], stem_width=8,
        ...             input_size=(32, 32), mean=(0.5,) * 3, std=(0.25,) * 3,
        ...         )
        ...         audits.append(run(model, data, folder / name, Settings(gate_images=0)))
        >>> contrast = compare(*audits, folder / "contrast", moved={"Smiling": 0.1}, resamples=100)
        >>> contrast["images"], contrast["methods"], contrast["moved"]["thresholds"]
        (12, ['grad_cam'], {'Smiling': 0.1})
        >>> error = contrast["attributes"]["Smiling"]["errors"]["error"]
        >>> list(error), error["balanced"]["images"], error["balanced"]["status"]
        (['unbalanced', 'unbalanced, threshold moved', 'balanced'], 12, 'small')
        >>> contrast["findings"]
        ["None of 0 tested differences between the models remains after Holm's correction."]
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, not a folder; give another place for the contrast")
    with take(folder, writes=(FILE, DIFFERENCE)):
        return _compare(
            first, second, folder, moved, moved_from, published=published, level=level, resamples=resamples, seed=seed
        )


def _sampled(first: Audit, pair: Paired, boxes: Mapping[str, Any]) -> list[str]:
    """Say which figures of two long audits are of a sample of their images."""
    if not is_long(first):
        return []
    there = {
        "sets of outputs": bool(pair.sets),
        "outputs that are compared one by one": bool(pair.outputs),
        "boxes": "attributes" in boxes,
    }
    parts = [name for name, of_sample in there.items() if of_sample]
    return [of_a_sample(parts, readable(first).most_images, first.manifest.data.images)] if parts else []


def _compare(
    first: Audit,
    second: Audit,
    folder: Path,
    moved: Mapping[str, float] | None,
    moved_from: str,
    *,
    published: bool,
    level: float,
    resamples: int,
    seed: int,
) -> Contrast:
    pair = pair_records(first, second, moved, moved_from)
    contrasted = dict(zip(pair.attributes, _contrasted(pair, level), strict=True)) if pair.attributes else {}
    maps = difference_maps(first, second, pair, folder / DIFFERENCE)
    gaps = contrast_gaps(first, pair, level)
    sets = contrast_sets(pair.sets, pair.outputs, (COLUMNS[0], COLUMNS[2]), level)
    names, boxes = names_of(first, second), contrast_boxes(first, second, level)
    contrast: dict[str, Any] = {
        "kind": KIND,
        "schema": SCHEMA,
        "level": level,
        "resamples": resamples,
        "seed": seed,
        "columns": list(COLUMNS),
        "names": names.to_json(),
        "notes": [*notes_on(first, second), *_sampled(first, pair, boxes)],
        "arms": {"first": _arm(first, COLUMNS[0]), "second": _arm(second, COLUMNS[2])},
        "data": {name: getattr(first.manifest.data, name) for name in ("source", "split", "images_hash")},
        "images": len(pair.rows),
        "not_in_both": pair.looked_at - len(pair.rows),
        "identities": pair.clusters.count if pair.clusters.known else None,
        "methods": list(pair.methods),
        "minority_from": first.manifest.train_counts_from,
        **pair.common.to_json(sets=bool(first.one_of or second.one_of)),
        "moved": _moved(pair, first.manifest.data.split),
        "attributes": {
            name: {
                "minority": class_name(int(pair.minority[a])),
                "train_counts": list(first.manifest.train_counts[name]),
                **_attribute(attribute),
                "threshold": {
                    rate: threshold_verdict(*attribute.error_differences[rate])
                    for rate in ("minority_error", "majority_error")
                },
            }
            for a, (name, attribute) in enumerate(contrasted.items())
        },
        **({"overall": overall_errors(pair, level).to_json()} if contrasted else {}),
        **({"sets": sets.sets} if sets.sets else {}),
        **({"outputs": sets.outputs} if sets.outputs else {}),
        **({"boxes": boxes} if boxes else {}),
        **({"gaps": gaps.entries} if gaps.entries else {}),
        **({"gaps_left_out": gaps.left_out} if gaps.left_out else {}),
        "families": contrast_families(contrasted, pair.methods),
        "correlation": correlations(first, pair, contrasted, level) if contrasted else {},
        "maps": maps,
    }
    references = tuple(dict.fromkeys(contrast["arms"][which]["reference"] for which in ("first", "second")))
    for name, entry in contrast["attributes"].items():
        vary_reference(name, entry, first, second)
    contrast["sentences"] = {
        name: attribute_sentences(name, entry, pair.methods, names, references)
        for name, entry in contrast["attributes"].items()
    }
    of_sets = set_sentences(sets, (COLUMNS[0], COLUMNS[2]), names)
    contrast["sentences"] |= of_sets
    statements = [f"{note[0].upper()}{note[1:]}." for note in contrast["notes"]]
    of_attributes = findings(contrast) if contrasted else ()
    contrast["findings"] = [*statements, *of_attributes, *set_findings(sets, of_sets), *box_findings(boxes, names)]
    contrast["findings"] += gap_findings(gaps.entries, names)
    contrast["families"] += [*gaps.families, *sets.families]
    if published:
        contrast["published"] = published_figures.contrast_published(first, pair, contrasted)
    result = Contrast(sealed(contrast, folder))
    write_json(folder / FILE, result, compact=True)
    return result


def _arm(audit: Audit, name: str) -> dict[str, Any]:
    model = audit.manifest.model
    return {
        "name": name,
        "folder": address_of(audit.folder) or str(audit.folder.resolve()),
        "model": model.source,
        "digest": model.digest,
        "settings_digest": audit.manifest.settings_digest,
        "measurements": audit.digest,
        "reference": reference_name(audit.manifest.references_from),
        "thresholds": audit.manifest.thresholds,
    }


def _contrasted(pair: Paired, level: float) -> Iterable[Contrasted]:
    """Compare attribute by attribute."""
    if isinstance(pair, StreamedPair):
        return contrast_streamed(pair, level)
    assert isinstance(pair, Pair)
    return contrast_attributes(pair, level)


def overall_errors(pair: Paired, level: float = LEVEL) -> AverageErrors:
    """Average the errors of ``COLUMNS`` over attributes; the pairs are those of ``error_differences``."""
    every = (pair.decided(a) for a in range(len(pair.attributes)))
    about = len(COLUMNS), pair.minority, pair.attributes, pair.clusters
    return average_errors_of(((one.wrong, one.label) for one in every), *about, [(0, 2), (1, 2)], level)


def _moved(pair: Paired, split: str | None) -> dict[str, Any]:
    audited = pair.audited
    adjusted = np.isfinite(pair.moved)
    # Records keep thresholds in float32.
    same = adjusted & (pair.moved.astype(np.float32) == audited)
    reason = ""
    if not adjusted.any():
        reason = (
            "no threshold tuned on validation is known: the first model's card states none, its audit chose none on a "
            "reference split, and none was given"
        )
    elif same.sum() == adjusted.sum():
        reason = "the first audit was already made at these thresholds, so adjusting them changes nothing"
    return {
        "from": pair.moved_from or None,
        "thresholds": {name: float(pair.moved[a]) for a, name in enumerate(pair.attributes) if adjusted[a]},
        "audited": {name: float(audited[a]) for a, name in enumerate(pair.attributes)},
        "reason": reason,
        # A card's thresholds were tuned on the validation split, which is among these images.
        "fitted_on_audited": pair.moved_from == "card" and split in (None, "validation"),
    }


def _attribute(contrasted: Contrasted) -> dict[str, Any]:
    def three(estimates: Sequence[Estimate]) -> dict[str, Any]:
        return {name: value.to_json() for name, value in zip(COLUMNS, estimates, strict=True)}

    return {
        "errors": {rate: three(estimates) for rate, estimates in contrasted.errors.items()},
        "error_differences": {
            rate: {
                f"{COLUMNS[0]} - {COLUMNS[2]}": unmoved.to_json(),
                f"{COLUMNS[1]} - {COLUMNS[2]}": moved.to_json(),
            }
            for rate, (unmoved, moved) in contrasted.error_differences.items()
        },
        "measures": {
            column: {
                group: {"paired": False, **three(estimates)} if group.startswith("predicted") else three(estimates)
                for group, estimates in groups.items()
            }
            for column, groups in contrasted.measures.items()
        },
        "differences": {
            column: {group: difference.to_json() for group, difference in groups.items()}
            for column, groups in contrasted.differences.items()
        },
    }
