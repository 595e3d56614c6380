"""The work of ``bincam explain``: images in batches, failures, and the JSON document of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bincam.errors import BincamError, InputError
from bincam.report.explained.boxes import AskedBoxes, describe_boxes
from bincam.report.explained.drawing import draw_figures
from bincam.report.explained.entries import about_sets, describe, number
from bincam.report.explained.prediction_grids import describe_grid, scales_of
from bincam.report.explained.views import about_views
from bincam.units import units

if TYPE_CHECKING:
    from torch import Tensor

    from bincam.cam import Explainer, Explanation, PlacedViews, Reference
    from bincam.cam.prediction_grid.grid import Reading
    from bincam.inference.zoom.plan import Plan
    from bincam.references import MapReference
    from bincam.report.explained.photographs import Photographs

KIND, SCHEMA = "bincam-explanation", 1


@dataclass
class Run:
    """All images of one call: explained in batches, kept on native grids, and drawn when all scales are known.

    Attributes:
        explainer: Explainer with the model, the selected attributes and the method.
        photographs: What turns files into the model's input.
        side: ``predicted``, ``positive``, ``negative``, or ``any`` for methods without sides.
        batch_size: Images per forward pass.
        reading: Reading of the prediction grids, which are described and drawn if the explainer keeps cells; None for
            the one that the head permits.
        boxes: Boxes to describe and draw; None for none.
        views: Views whose mean is explained; None for the image as the model sees it.
        reference: What the maps are counted from.
        results: Per file, the explanation of its batch and its row there.
        failures: File and error of each image that could not be explained.
    """

    explainer: Explainer
    photographs: Photographs
    side: str
    batch_size: int
    reading: Reading | None = None
    boxes: AskedBoxes | None = None
    views: Plan | None = None
    reference: MapReference | Reference = "zero"
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
        for seen, (file, image) in enumerate(self._read(files, errors), start=1):
            if image is not None:
                waiting.append((file, image))
            if waiting and (len(waiting) == at_once or seen == len(files)):
                self._batch(waiting, errors)
                waiting = []
        if len(files) == 1 and self.failures:
            raise InputError(self.failures[0]["error"])
        if not self.results and len({str(error) for error in errors}) == 1:
            raise errors[0]  # the request is wrong, not an image

    def _read(
        self, files: Sequence[Path], errors: list[BincamError]
    ) -> Iterator[tuple[Path, Tensor | PlacedViews | None]]:
        from bincam.progress import track

        for file in track(files, "explain", unit="images") if len(files) > 1 else files:
            try:
                if self.views is None:
                    image: Tensor | PlacedViews = self.photographs.tensor(file)
                else:
                    image = self.photographs.views(file, self.views)
            except BincamError as error:
                self._fail(file, error, errors)
                yield file, None
            else:
                yield file, image

    def _batch(self, batch: list[tuple[Path, Tensor | PlacedViews]], errors: list[BincamError]) -> None:
        """Explain a batch; if that fails, explain it image by image, so that one image does not affect the others."""
        side: Any = self.side
        try:
            drawn = self.explainer(_stacked([image for _, image in batch]), side)
            explanation = self._thinned(drawn.against(self.reference))
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
            "photographs": self.photographs.about(),
        }
        for explanation, _ in self.results.values():
            document |= {
                "layer": explanation.layer,
                "anatomy": {"kind": explanation.kind, "reason": explanation.reason},
                "complete": explanation.complete,
                "reference": explanation.reference,
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
                entries[id(explanation)] = describe(explanation, self.reference, blind=self.side == "any")
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
        size = self.photographs.size(file)
        return {"boxes": describe_boxes(self.boxes, explanation, row, self.photographs.matrix(file, size), size)}

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
        draw_figures(document, self.photographs, self.views)


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
