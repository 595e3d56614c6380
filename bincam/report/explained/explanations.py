"""The work of ``bincam explain``: batches, failures, the JSON document and the figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bincam.decision import is_positive
from bincam.errors import BincamError, InputError
from bincam.report.explained.boxes import AskedBoxes, box_note, describe_boxes, outlines_of
from bincam.report.explained.prediction_grids import describe_grid, grid_caption, panels_of, scales_of
from bincam.report.explained.views import about_views, view_outlines, views_note, whole_picture
from bincam.report.reading.units import unit, units
from bincam.stats import formatting
from bincam.stats.formatting import percent, significant
from bincam.stats.outcomes import class_name

if TYPE_CHECKING:
    from torch import Tensor

    from bincam.cam import Explainer, Explanation, Ledger, PlacedViews
    from bincam.cam.prediction_grid.grid import Reading
    from bincam.inference.zoom.plan import Plan

_SIDES = {1.0: "positive", -1.0: "negative"}
KIND, SCHEMA = "bincam-explanation", 1
ASKED: dict[str | None, str] = {
    None: "log-odds against all other outputs",
    "runner_up": "differences to the best other output",
    "mean": "differences to the mean of the set",
    "nothing": "raw scores, which cannot be compared between outputs",
}
"""Meaning of the logits of outputs in sets, by the question."""
_BOXES = " Amber: the box around the largest part of the map above a share τ of its maximum; white, dashed: a true box."


@dataclass
class Run:
    """All images of one call: explained in batches, kept on native grids, and drawn when all scales are known.

    Attributes:
        explainer: Explainer with the model, the selected attributes and the method.
        side: ``predicted``, ``positive``, ``negative``, or ``any`` for methods without sides.
        batch_size: Images per forward pass.
        reading: Reading of the prediction grids, which are described and drawn if the explainer keeps cells; None for
            the one that the head permits.
        boxes: Boxes to describe and draw; None for none.
        views: Views whose mean is explained; None for the image as the model sees it.
        results: Per file, the explanation of its batch and its row there.
        failures: File and error of each image that could not be explained.
    """

    explainer: Explainer
    side: str
    batch_size: int
    reading: Reading | None = None
    boxes: AskedBoxes | None = None
    views: Plan | None = None
    results: dict[Path, tuple[Explanation, int]] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)

    def explain(self, files: Sequence[Path]) -> None:
        """Explain every file; those that cannot be explained become failures.

        Raises:
            BincamError: Nothing could be explained, and all errors are the same.
        """
        errors: list[BincamError] = []
        waiting: list[tuple[Path, Tensor | PlacedViews]] = []
        at_once = self.batch_size if self.views is None else max(1, self.batch_size // len(self.views))
        for number, (file, image) in enumerate(self._read(files, errors), start=1):
            if image is not None:
                waiting.append((file, image))
            if waiting and (len(waiting) == at_once or number == len(files)):
                self._batch(waiting, errors)
                waiting = []
        if len(files) == 1 and self.failures:
            raise InputError(self.failures[0]["error"])
        if not self.results and len({str(error) for error in errors}) == 1:
            raise errors[0]  # the request is wrong, not an image

    def _read(
        self, files: Sequence[Path], errors: list[BincamError]
    ) -> Iterator[tuple[Path, Tensor | PlacedViews | None]]:
        from bincam.models import open_image
        from bincam.progress import track

        for file in track(files, "explain", unit="images") if len(files) > 1 else files:
            try:
                if self.views is None:
                    image: Tensor | PlacedViews = self.explainer.preprocess(open_image(file))
                else:
                    image = self.explainer.views_of([file], self.views)
            except BincamError as error:
                self._fail(file, error, errors)
                yield file, None
            else:
                yield file, image

    def _batch(self, batch: list[tuple[Path, Tensor | PlacedViews]], errors: list[BincamError]) -> None:
        """Explain a batch; if that fails, explain it image by image, so that one image does not affect the others."""
        side: Any = self.side
        try:
            explanation = self._thinned(self.explainer(_stacked([image for _, image in batch]), side))
        except BincamError as error:
            if len(batch) == 1:
                self._fail(batch[0][0], error, errors)
                return
            for item in batch:
                self._batch([item], errors)
        else:
            self.results.update({file: (explanation, row) for row, (file, _) in enumerate(batch)})

    def _thinned(self, explanation: Explanation) -> Explanation:
        """Keep of the prediction grids only the one that is asked for."""
        if not self.explainer.cells:
            return explanation
        grid = explanation.grid(self.reading)
        return replace(explanation, grids={grid.reading: grid})

    def _fail(self, file: Path, error: BincamError, errors: list[BincamError]) -> None:
        text = str(error) if str(file) in str(error) else f"{file}: {error}"
        self.failures.append({"file": str(file), "error": text})
        errors.append(error)

    def document(self, model: str, figures: Mapping[Path, Path]) -> dict[str, Any]:
        """Build the JSON document of all results; undefined numbers are null.

        Args:
            model: Name of the model, as the user gave it.
            figures: Path of each file's figure.

        Returns:
            The document, of kind ``bincam-explanation``.
        """
        from bincam._version import __version__

        card = self.explainer.card
        assert card is not None
        document: dict[str, Any] = {
            "kind": KIND,
            "schema": SCHEMA,
            "bincam": __version__,
            "model": {"source": model, "architecture": card.architecture, "name": card.name, "head": card.head},
            "method": self.explainer.method_name,
            "side": self.side,
            "values": "evidence for the explained side per cell of the native grid",
        }
        for explanation, _ in self.results.values():
            document |= {
                "layer": explanation.layer,
                "anatomy": {"kind": explanation.kind, "reason": explanation.reason},
                "complete": explanation.complete,
                "values": f"evidence for the explained side, in "
                f"{units(explanation.method, complete=explanation.complete)} per cell of the native grid",
                "input_size": list(explanation.image_size),
                "grid": list(explanation.maps.shape[-2:]),
                "scales": self._scales(),
                **about_sets(explanation),
                **about_views(self.views),
            }
            break
        document["images"] = []
        entries: dict[int, list[list[dict[str, Any]]]] = {}
        for file, (explanation, row) in self.results.items():
            if id(explanation) not in entries:
                entries[id(explanation)] = describe(explanation, blind=self.side == "any")
            figure = figures.get(file)
            document["images"].append(
                {
                    "file": str(file),
                    "figure": str(figure) if figure else None,
                    "attributes": entries[id(explanation)][row],
                    **self._grid(explanation, row),
                    **self._boxes(file, explanation, row),
                }
            )
        if self.explainer.cells:
            document["grid_scales"] = scales_of([image["grid"] for image in document["images"]])
        document["failures"] = self.failures
        return document

    def _boxes(self, file: Path, explanation: Explanation, row: int) -> dict[str, Any]:
        """The entry of an image's boxes; empty if none are asked for."""
        if self.boxes is None:
            return {}
        from bincam.models import open_image

        photo, card = open_image(file), self.explainer.card
        assert card is not None
        return {"boxes": describe_boxes(self.boxes, explanation, row, card, (photo.height, photo.width))}

    def _grid(self, explanation: Explanation, row: int) -> dict[str, Any]:
        """The entry of an image's prediction grid; empty if none is asked for."""
        if not self.explainer.cells:
            return {}
        taken = {}
        for owner, members in explanation.members.items():
            assert self.explainer.card is not None
            assert explanation.scores is not None
            columns = [self.explainer.card.attributes.index(name) for name in members]
            probabilities = explanation.scores[row, columns].softmax(0)
            if not bool(probabilities.isnan().any()):
                place = int(probabilities.argmax())
                taken[owner] = members[place], probabilities[place].item()
        return {"grid": describe_grid(explanation.grid(self.reading), row, taken)}

    def _scales(self) -> dict[str, float]:
        """Return the end of each output's colour scale, which all figures share, and all outputs of a set.

        Log-odds of one set are in the same unit and relate to the same alternatives, so their maps can be compared.
        """
        from bincam.report.figures.pictured.explanation import scale

        maps: dict[str, list[Any]] = {}
        shared: dict[str, str] = {}
        for explanation, row in self.results.values():
            comparable = explanation.versus != "nothing"
            for column, name in enumerate(explanation.output_names(row)):
                shared[name] = (explanation.set_of(column) if comparable else None) or name
                maps.setdefault(shared[name], []).append(explanation.maps[row, column].numpy(force=True))
        limits = {key: number(scale(values)) or 1.0 for key, values in maps.items()}
        return {name: limits[key] for name, key in shared.items()}

    def draw(self, document: Mapping[str, Any]) -> None:
        """Draw the figures that a document names.

        Args:
            document: The result of :meth:`document`.
        """
        import numpy as np

        from bincam.models import open_image
        from bincam.models.preprocess import fit as fitted
        from bincam.progress import track
        from bincam.report.figures.pictured.explanation import Panel, explanation_figure, save_figure
        from bincam.report.figures.pictured.grid import grid_figure

        card = self.explainer.card
        assert card is not None
        images = document["images"]
        for image in track(images, "draw", unit="figures") if len(images) > 1 else images:
            panels = [
                Panel(
                    name=f"{entry['rank']}, {entry['name']}" if "rank" in entry else entry["name"],
                    lines=summary(entry) if box is None else _with_note(summary(entry), box_note(box)),
                    values=np.array(entry["map"], dtype=float),  # null becomes NaN
                    limit=document["scales"][entry["name"]],
                    outlines=() if box is None else outlines_of(box),
                )
                for entry, box in zip(
                    image["attributes"], image.get("boxes") or [None] * len(image["attributes"]), strict=True
                )
            ]
            photo, shown = open_image(image["file"]), dict[str, Any]()
            if self.views is None:
                pixels = np.asarray(fitted(photo, card).convert("RGB"))
            else:
                pixels = whole_picture(photo, card.input_size)
                outlines = view_outlines(self.views, (photo.height, photo.width), pixels.shape[:2])
                shown = {"image_name": "the whole image", "image_outlines": outlines}
            if "grid" in image:
                drawn = grid_figure(
                    pixels,
                    panels_of(image["grid"], document["grid_scales"]),
                    title=Path(image["file"]).name,
                    caption=grid_caption(image["grid"], document["anatomy"]["reason"]),
                    image_note=f"{pixels.shape[1]} × {pixels.shape[0]} pixels",
                )
                save_figure(drawn, image["figure"])
                continue
            figure = explanation_figure(
                pixels,
                panels,
                title=Path(image["file"]).name,
                caption=caption(document),
                unit=unit(document["method"], complete=document["complete"]),
                image_note=f"{pixels.shape[1]} × {pixels.shape[0]} pixels",
                **shown,
            )
            save_figure(figure, image["figure"])


def _stacked(images: Sequence[Tensor | PlacedViews]) -> Tensor | PlacedViews:
    """Join images, or images at their views, to a batch."""
    import torch

    from bincam.cam import PlacedViews

    views = [image for image in images if isinstance(image, PlacedViews)]
    return (
        PlacedViews.joined(views)
        if views
        else torch.stack([image for image in images if isinstance(image, torch.Tensor)])
    )


def _with_note(lines: tuple[str, ...], note: str) -> tuple[str, ...]:
    return (*lines[:-1], f"{lines[-1]}; {note}")


def about_sets(explanation: Explanation) -> dict[str, Any]:
    """State of which sets outputs are explained, and against what; empty if there are none."""
    sets = list(dict.fromkeys(name for name in explanation.sets if name is not None))
    return {"one_of": sets, "versus": explanation.versus} if sets else {}


def number(value: float) -> float | None:
    """Round to seven significant digits, the precision of float32; None where the value is undefined.

    Example:
        >>> number(0.123456789), number(float("nan"))
        (0.1234568, None)
    """
    return float(f"{value:.7g}") if math.isfinite(value) else None


def describe(explanation: Explanation, *, blind: bool = False) -> list[list[dict[str, Any]]]:
    """Describe each image and attribute of a batch in JSON values.

    Args:
        explanation: Explanation of the batch.
        blind: True if the method has no sides; the ledger is then that of the positive side.

    Returns:
        ``[image][attribute]``: logit, probability, threshold, ledger and map; of an output in a set also the set's
        name, and no threshold. With ``top``, an entry has its rank, and the name of the output at this rank.
    """
    from bincam.models.heads import probability

    zero, floor = explanation.ledger("zero"), explanation.ledger("floor")
    probabilities, gaps = explanation.probability, explanation.identity_gap
    at_threshold = probability(explanation.threshold, explanation.head)
    result = []
    for row in range(len(explanation.logits)):
        entries = []
        for column, name in enumerate(explanation.output_names(row)):
            logit, limit = explanation.logits[row, column].item(), explanation.threshold[column].item()
            owner = explanation.set_of(column)
            taken = explanation.predicted
            positive = is_positive(logit, limit) if taken is None else bool(taken[row, column])
            rank = None if explanation.outputs is None or owner is None else explanation.attributes[column]
            entries.append(
                {
                    "name": name,
                    **({} if owner is None else {"one_of": owner}),
                    **({} if rank is None else {"rank": rank}),
                    "logit": number(logit),
                    "probability": number(probabilities[row, column].item()),
                    "threshold": number(limit) if owner is None else None,
                    "threshold_probability": number(at_threshold[column].item()) if owner is None else None,
                    "predicted": None if math.isnan(logit) else class_name(1 if positive else -1),
                    "explained": None if blind else _SIDES.get(explanation.side[row, column].item()),
                    "bias": None if explanation.bias is None else number(explanation.bias[row, column].item()),
                    "identity_gap": number(gaps[row, column].item()),
                    **_beyond(explanation, row, column),
                    "ledger": {ledger.reference: _terms(ledger, row, column) for ledger in (zero, floor)},
                    "map": [[number(value) for value in line] for line in explanation.maps[row, column].tolist()],
                }
            )
        result.append(entries)
    return result


def _beyond(explanation: Explanation, row: int, column: int) -> dict[str, Any]:
    """The entry of evidence beyond the image, for the positive class; empty without views."""
    if not explanation.views:
        return {}
    beyond = explanation.beyond
    return {"beyond": None if beyond is None else number(beyond[row, column].item())}


def _terms(ledger: Ledger, row: int, column: int) -> dict[str, Any]:
    names = (
        "support",
        "opposition",
        "bias",
        "prefix",
        "alternatives",
        "placed_support",
        "placed_opposition",
        "bias_share",
        "empty",
        "gap",
    )
    return {name: number(getattr(ledger, name)[row, column].item()) for name in names}


def summary(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Write the lines under an attribute's name in a figure: logit, prediction and bias share.

    Args:
        entry: An entry of :func:`describe`.
    """
    ledger = entry["ledger"]["zero"]
    share = "undefined" if ledger["bias_share"] is None else percent(ledger["bias_share"])
    in_set = "one_of" in entry
    threshold = f", set {entry['one_of']}" if in_set else f", threshold {significant(entry['threshold'], 3)}"
    if entry["logit"] is None:
        return f"logit undefined{threshold}", "no prediction", f"bias share {share}"
    shows = {"positive": "evidence for YES", "negative": "evidence for NO", None: "activation, no side"}
    positive = entry["predicted"] == "positive"
    probability = percent(entry["probability"])
    answer = f"predicts {'YES' if positive else 'NO'}"
    if in_set and positive and entry["probability"] < 0.5:
        answer = f"taken with p = {probability}"
    return (
        f"logit {formatting.number(entry['logit'], signed=True)} (p = {probability}){threshold}",
        f"{answer}; map: {shows[entry['explained']]}",
        f"bias share {share}" + (", no positive evidence" if ledger["empty"] == 1 else "") + _off_image(entry),
    )


def _off_image(entry: Mapping[str, Any]) -> str:
    beyond = entry.get("beyond")
    return "" if beyond is None else f"; beyond the image {formatting.number(beyond, signed=True)}"


def caption(document: Mapping[str, Any]) -> str:
    """State below a figure how its maps were made, and what may be claimed."""
    sets = document.get("one_of")
    versus = document.get("versus")
    log_odds = sets and versus is None
    parts = ["the maps", "the bias"]
    parts += ["the evidence beyond the image"] if document.get("views") else []
    parts += ["the entropy of the alternatives"] if log_odds else []
    terms = f"{', '.join(parts[:-1])} and {parts[-1]}"
    claims = {True: f"{terms} add up to the logit", False: "the maps do not add up to the logit"}
    asked = ASKED.get(versus, f"differences to {versus}")
    return (
        f"{document['method']} at {document['layer']}; {document['anatomy']['kind']}: {document['anatomy']['reason']}; "
        f"{claims[document['complete']]}. Red supports the explained side, blue opposes it; each attribute"
        f"{', and each set of outputs,' if sets else ''} has one scale in all figures of this call."
        + (f" Of a set ({', '.join(sets)}) exactly one output is true; its logits are {asked}." if sets else "")
        + " Bias share: the part of the support that is not located in the image."
        + views_note(document)
        + (_BOXES if any("boxes" in image for image in document.get("images", ())) else "")
    )
