"""Maps of rescuing views: where the evidence for the right answer is, in the view that gives it.

``rescued.safetensors`` holds the maps and ``rescued.json``, which is written after it, what they are of and the digest
of the former. A page that is made later needs the model for neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.digest import content_digest, file_digest
from bincam.audit.folder.stored import read_tensors, write_tensors
from bincam.errors import BincamError, InputError
from bincam.files import read_json, write_json
from bincam.progress import track
from bincam.studies.folder import StudyFolder, study_kind
from bincam.studies.zoom.rescued import RescuedImage, find_rescued
from bincam.studies.zoom.seen import NAME, SeenViews

if TYPE_CHECKING:
    from bincam.cam import Explanation
    from bincam.studies.zoom.subject import Subject

RECORD, TENSORS = "rescued.json", "rescued.safetensors"
KIND, SCHEMA = f"{study_kind(NAME)}-rescued", 1
Maps = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class RescuingMaps:
    """Maps of the views that rescued the examples of a study.

    Attributes:
        method: Spec of the method, ``NAME`` or ``NAME@LAYER``: the audit's primary one, else the default.
        kind: Claim that the model's head permits, see ``Explanation``.
        complete: True if a map and its constant add up to the logit.
        maps: ``(h, w)`` float32 each: S, signed evidence for the output of the image, in the frame of the view.
        logits: z of these outputs at these views.
        reason: Why there are no maps; empty where there are.
    """

    method: str
    kind: str
    complete: bool
    maps: Mapping[RescuedImage, Maps]
    logits: Mapping[RescuedImage, float]
    reason: str = ""


def write_rescuing_maps(seen: SeenViews, subject: Subject) -> None:
    """Explain the rescuing views of a study's examples, and write their maps beside it.

    Three views of each question at most are run once more, with gradients where the method needs them. A model that
    cannot be explained leaves the reason in place of the maps.

    Args:
        seen: The study, with all shards.
        subject: Model, images and questions.

    Raises:
        InputError: An image can no longer be read.
    """
    from bincam.audit.settings import Settings

    chosen = find_rescued(seen)
    asked = {question.name: [one for one in chosen if one.question == question.name] for question in seen.questions}
    method = subject.audit.methods[0] if subject.audit is not None else Settings().methods[0]
    stated: dict[str, Any] = {"method": method, "kind": "", "complete": False, "reason": "", "entries": []}
    maps: dict[str, NDArray[Any]] = {}
    for examples in track([part for part in asked.values() if part], "maps", unit="questions"):
        images = [_pixels(subject, one, seen.plan.input_size) for one in examples]
        try:
            explanation = _explained(subject, examples, images, method)
        except BincamError as error:  # of the model and the method, not of these images
            stated["reason"], stated["entries"] = str(error), []
            maps.clear()
            break
        stated["kind"], stated["complete"] = explanation.kind, explanation.complete
        for place, one in enumerate(examples):
            column = explanation.attributes.index(one.output)
            name = f"{len(maps):05d}"
            maps[name] = explanation.maps[place, column].float().numpy(force=True)
            logit = float(explanation.logits[place, column])
            stated["entries"].append({**_named(one), "map": name, "logit": logit if np.isfinite(logit) else None})
    digest = None
    if maps:
        write_tensors(seen.folder / TENSORS, maps)
        digest = file_digest(seen.folder / TENSORS)
    content = {"kind": KIND, "schema": SCHEMA, "study": _digest_of(seen.study), "maps": digest, "explained": stated}
    write_json(seen.folder / RECORD, content)


def has_rescuing_maps(folder: Path) -> bool:
    """Return True if the maps were written, or the reason why there are none."""
    return (folder / RECORD).is_file()


def read_rescuing_maps(seen: SeenViews) -> RescuingMaps | None:
    """Read the maps of a study's examples; None of an older study, which has none.

    Raises:
        InputError: They are damaged, or of another study.
    """
    if not has_rescuing_maps(seen.folder):
        return None
    file = seen.folder / RECORD
    advice = f"remove {file}, and 'bincam zoom ... --resume' makes them again"
    content = read_json(file, kind=KIND, schema=SCHEMA)
    if content.get("study") != _digest_of(seen.study):
        raise InputError(f"{file}: maps of another study than the one in {seen.folder}; {advice}")
    try:
        stated, digest = content["explained"], content["maps"]
        maps = {} if digest is None else read_tensors(seen.folder / TENSORS)
        if digest is not None and file_digest(seen.folder / TENSORS) != digest:
            raise InputError(f"{seen.folder / TENSORS}: not the maps that {RECORD} states; {advice}")
        of_example = {_key(entry): entry for entry in stated["entries"]}
        found = {one: of_example[key] for one in find_rescued(seen) if (key := _key(_named(one))) in of_example}
        return RescuingMaps(
            str(stated["method"]),
            str(stated["kind"]),
            bool(stated["complete"]),
            {one: np.asarray(maps[entry["map"]], np.float32) for one, entry in found.items()},
            {one: float("nan") if entry["logit"] is None else float(entry["logit"]) for one, entry in found.items()},
            str(stated["reason"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file}: damaged ({type(error).__name__}: {error}); {advice}") from None


def _pixels(subject: Subject, one: RescuedImage, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The pixels of a rescuing view, as the pass made them."""
    from bincam.inference.zoom.batches import framed
    from bincam.inference.zoom.plan import view_plan
    from bincam.inference.zoom.render import render

    table, card = subject.table, subject.model.card
    points = table.landmarks[one.row] if card.fit == "face" and table.landmarks is not None else None
    (pixels,) = render(framed(table.path(one.row), card, points), view_plan([one.view], size))
    return pixels


def _explained(
    subject: Subject, examples: Sequence[RescuedImage], images: Sequence[NDArray[np.uint8]], method: str
) -> Explanation:
    from bincam.cam import Explainer
    from bincam.inference.zoom.batches import normalised

    name, _, layer = method.partition("@")
    outputs = list(dict.fromkeys(one.output for one in examples))
    explainer = Explainer(subject.model, outputs, method=name, layer=layer or None)
    return explainer(normalised(np.stack(images), subject.model.card), "positive")


def _named(one: RescuedImage) -> dict[str, Any]:
    return {
        "question": one.question,
        "output": one.output,
        "side": one.side,
        "row": one.row,
        "image": one.image,
        "view": list(one.view),
    }


def _key(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return (*(entry[key] for key in ("question", "output", "side", "row", "image")), *entry["view"])


def _digest_of(study: StudyFolder) -> str:
    """What a study was begun with, and the audit that it rests on."""
    return content_digest({"audit": study.audit, "settings": dict(study.settings)})
