"""What the maps of an audit are counted from: refused before the first image, and fitted on the reference split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bincam.audit.folder import reader
from bincam.audit.pipeline.plan import Plan
from bincam.audit.settings import Settings
from bincam.cam import Explainer, Reference
from bincam.cam.map_reference import HEAD_METHODS, check_attribute_mean, refuse_unsigned
from bincam.cam.maps.native import completes
from bincam.cam.reference import as_template
from bincam.data import AttributeTable
from bincam.errors import InputError, UnsupportedError
from bincam.one_of import Sets
from bincam.progress import track
from bincam.references import FITTED_FOR_MAPS, ReferenceKind
from bincam.stats.formatting import listed


def check_map_reference(
    settings: Settings,
    explainers: Mapping[str, Explainer],
    large: Sets,
    reference_table: AttributeTable | None,
    notes: list[str],
) -> None:
    """Refuse a reference that the audited maps cannot be counted from.

    Args:
        settings: The settings.
        explainers: Of the outputs that have a row of their own, by method.
        large: The sets of outputs of which only two are explained.
        reference_table: The images that references are fitted on, or None.
        notes: Takes what is undefined.

    Raises:
        InputError: One attribute has no other maps, or there are no images to fit on.
        UnsupportedError: A method leaves out the evidence against a side, or the outputs are those of sets.
    """
    asked = settings.map_reference
    if asked == "zero":
        return
    if large:
        raise UnsupportedError(
            f"maps counted from {asked}: of set {listed(list(large))} only the predicted and the true output are "
            f"explained; count from zero, or raise one_of_rows ({settings.one_of_rows})"
        )
    for explainer in explainers.values():
        refuse_unsigned(explainer.method_name)
    if asked == "attribute_mean":
        selection = next(iter(explainers.values())).selection
        check_attribute_mean(selection.attributes, selection.owners)
    if asked in FITTED_FOR_MAPS and reference_table is None:
        raise InputError(
            f"maps counted from {asked}: there are no images to fit it on; name a split with --reference-split "
            "(reference_split=), or count from zero"
        )
    if asked == "midpoint" and reference_table is not None:
        labels = reference_table.labels
        lacking = ((labels == 1).any(0) & (labels == 0).any(0)) == 0
        names = [name for name, lacks in zip(reference_table.names, lacking, strict=True) if lacks]
        if names:
            notes.append(
                f"no midpoint of {listed(names)}: the reference images are all of one class, so maps counted from it "
                "are undefined"
            )


def map_references(plan: Plan, folder: Path) -> dict[str, Reference]:
    """Fit, or read from a resumed audit, what each method's maps are counted from; empty if nothing is fitted.

    Maps that are the head's own evidence have the ledger's reference; those of other methods and layers are explained
    on the reference split once more.

    Args:
        plan: The plan, with the ledger's references.
        folder: Of the audit.
    """
    kind = plan.settings.map_reference
    if kind not in FITTED_FOR_MAPS:
        return {}
    resumed = (folder / reader.MANIFEST).is_file()
    found = {}
    for number, (spec, explainer) in enumerate(plan.explainers.items()):
        anatomy = explainer.anatomy(plan.model.card.input_size)
        if explainer.method_name in HEAD_METHODS and completes(explainer.method_name, anatomy):
            found[spec] = plan.references["midpoint"] if kind == "midpoint" else as_template(plan.references["mean"])
            continue
        file = folder / "references" / f"of-maps-{number:02d}.json"
        if not (resumed and file.is_file()):
            _fitted(plan, explainer, spec, kind).save(file)
        found[spec] = Reference.load(file)
    return found


def _fitted(plan: Plan, explainer: Explainer, spec: str, kind: ReferenceKind) -> Reference:
    table = plan.reference_table
    assert table is not None
    loader = plan.loader(table, also=plan.view_reader(table))
    batches = track(loader, f"reference of {spec}", total=len(table), unit="images", amount=len)
    labelled = ((plan.viewed(batch)[0], batch.labels) for batch in batches)
    return explainer.fit_reference(labelled, kind, of="maps")
