"""What ``bincam explain`` counts maps from: a name, and the audit that has fitted it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bincam.errors import InputError, nearest
from bincam.references import FITTED_FOR_MAPS, MAP_REFERENCES, MapReference

if TYPE_CHECKING:
    from bincam.audit import Audit
    from bincam.cam import Explainer, Reference
    from bincam.models import AttributeClassifier


def check_reference(name: str, folder: Path | None, *, grid: bool) -> MapReference:
    """Refuse options about references that no request can contain together; they are named as on the command line.

    Raises:
        InputError: The reference is unknown, a fitted one has no audit, or an audit fits nothing that is asked for.
    """
    if name not in MAP_REFERENCES:
        raise InputError(f"--reference {name}{nearest(name, MAP_REFERENCES)}")
    if grid and name != "zero":
        raise InputError(f"--reference {name} is of maps and --grid draws none; leave out one of the two")
    fitted = name in FITTED_FOR_MAPS
    if fitted and folder is None:
        raise InputError(
            f"--reference {name} is fitted on other images than the explained ones; name an audit of this model, which "
            "has fitted it, with --reference-from FOLDER"
        )
    if folder is not None and not fitted:
        raise InputError(f"--reference-from {folder} is for --reference {' or '.join(FITTED_FOR_MAPS)}, not {name}")
    return name


def read_reference(
    name: MapReference, folder: Path | None, model: AttributeClassifier, explainer: Explainer
) -> MapReference | Reference:
    """Read what maps are counted from, so that every mistake is reported before an image is read.

    Raises:
        InputError: The audit is of another model, or has fitted no such reference of these maps; or one attribute is to
            be counted from the mean of all.
        UnsupportedError: Maps of this method, or of outputs of sets, cannot be counted from this reference.
    """
    if name == "zero":
        return name
    from bincam.cam.map_reference import check_attribute_mean, refuse_unsigned

    refuse_unsigned(explainer.method_name)
    if name == "attribute_mean":
        check_attribute_mean(explainer.selection.attributes, explainer.selection.owners)
        return name
    from bincam import provenance
    from bincam.audit import open_audit

    assert folder is not None
    audit = open_audit(folder)
    if audit.manifest.model.digest != provenance.model_digest(model):
        raise InputError(
            f"--reference-from {folder}: an audit of another model ({audit.manifest.model.name}); the mean evidence of "
            "one model says nothing of another's maps"
        )
    found = _stored(audit, name, explainer, model.card.input_size)
    missing = [output for output in _explained(explainer) if output not in found.attributes]
    if missing:
        raise InputError(
            f"--reference-from {folder}: fitted without {', '.join(missing)}; leave them out, or audit them"
        )
    return found


def _explained(explainer: Explainer) -> tuple[str, ...]:
    """The outputs that may be explained: of the best of a set, all of them."""
    selection = explainer.selection
    return selection.names if explainer.top is not None else selection.attributes


def _stored(audit: Audit, name: MapReference, explainer: Explainer, size: tuple[int, int]) -> Reference:
    """Find the reference of the explainer's maps in an audit's folder."""
    from bincam.cam import Reference
    from bincam.cam.map_reference import HEAD_METHODS
    from bincam.cam.maps.native import completes
    from bincam.cam.reference import as_template

    anatomy, manifest = explainer.anatomy(size), audit.manifest
    if explainer.method_name in HEAD_METHODS and completes(explainer.method_name, anatomy):
        if not manifest.references:
            raise InputError(
                f"--reference-from {audit.folder}: this audit has fitted no references; audit the model again with a "
                "--reference-split"
            )
        kind = "midpoint" if name == "midpoint" else "mean"
        head = Reference.load(audit.folder / "references" / f"{kind}.json")
        return head if name == "midpoint" else as_template(head)
    for number in range(len(manifest.methods)):
        file = audit.folder / "references" / f"of-maps-{number:02d}.json"
        if manifest.map_reference == name and file.is_file():
            stored = Reference.load(file)
            if (stored.method, stored.layer) == (explainer.method_name, anatomy.layer.name):
                return stored
    raise InputError(
        f"--reference-from {audit.folder}: no {name} of maps of {explainer.method_name} at {anatomy.layer.name} was "
        f"fitted there; audit the model with this --method and --reference {name}"
    )
