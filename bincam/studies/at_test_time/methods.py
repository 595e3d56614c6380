"""Methods at test time by name: what each answers of a run of images, before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError, nearest
from bincam.inference.prediction import Predictions, predict
from bincam.inference.tta.adaptation import Adapted, memo, zoom_memo
from bincam.inference.tta.averaging import Averaged, mean_probability
from bincam.inference.tta.mirror import predict_mirrored
from bincam.inference.zoom.plan import Plan
from bincam.studies.zoom.subject import Subject

Bools = NDArray[np.bool_]
ADAPTATION_VIEWS = 64
"""Views of MEMO and zoom-MEMO per image, as published."""


@dataclass(frozen=True)
class Decisions:
    """Decisions of N images on the A outputs that are asked for.

    Attributes:
        positive: ``(N, A)``.
        undefined: ``(N, A)``: without one.
        unadapted: Images that a method could not adapt to, which keep the model's own answer.
    """

    positive: Bools
    undefined: Bools
    unadapted: int = 0


@dataclass(frozen=True)
class Request:
    """A run of images for a method.

    Attributes:
        subject: Model and images; the run is a part of its table.
        rows: Rows of the table.
        images: Their files, to be read once.
        views: The views that were chosen on the reference split; None where the method needs none.
        seed: Seed of random views.
        batch_size: Views per forward pass.
    """

    subject: Subject
    rows: range
    images: Iterable[Path]
    views: Plan | None
    seed: int
    batch_size: int

    @property
    def landmarks(self) -> NDArray[np.floating] | None:
        """``(N, 5, 2)`` for a model that reads face crops, else None."""
        of_all = self.subject.table.landmarks
        return of_all[list(self.rows)] if self.subject.model.card.fit == "face" and of_all is not None else None


@dataclass(frozen=True)
class TestTime:
    """A method at test time.

    Attributes:
        name: Its name for the command.
        title: Its name in text.
        cost: What an image costs, with ``{views}`` for the number of chosen views.
        minimises_entropy: Whether it lowers the entropy of the mean over views.
        chooses: Whether it needs views that are chosen on a reference split.
        run: Decides a run of images.
    """

    __test__ = False  # it is no test, whatever its name begins with

    name: str
    title: str
    cost: str
    minimises_entropy: bool
    chooses: bool
    run: Callable[[Request], Decisions]


def own_crop(request: Request) -> Decisions:
    """Decide images by the model's own crop, which is what every method is compared with."""
    seen = _mirrored(request)
    return _of_columns(request, seen.positive[:, 0], seen.undefined[:, 0])


def _mirrored(request: Request) -> Predictions:
    return predict_mirrored(
        request.subject.model,
        request.images,
        landmarks=request.landmarks,
        batch_size=max(1, request.batch_size // 2),
        check=request.rows.start == 0,
    )


def _flip(request: Request) -> Decisions:
    return _averaged(request, mean_probability(_mirrored(request), request.subject.model.card))


def _views(request: Request) -> Decisions:
    assert request.views is not None
    seen = predict(
        request.subject.model,
        request.images,
        request.views,
        landmarks=request.landmarks,
        batch_size=request.batch_size,
        check=request.rows.start == 0,
    )
    return _averaged(request, mean_probability(seen, request.subject.model.card))


def _memo(request: Request) -> Decisions:
    model, files = request.subject.model, request.images
    return _adapted(request, memo(model, files, landmarks=request.landmarks, views=ADAPTATION_VIEWS, seed=request.seed))


def _zoom_memo(request: Request) -> Decisions:
    model, files = request.subject.model, request.images
    return _adapted(
        request, zoom_memo(model, files, landmarks=request.landmarks, views=ADAPTATION_VIEWS, seed=request.seed)
    )


def _averaged(request: Request, averaged: Averaged) -> Decisions:
    return _of_columns(request, averaged.positive, averaged.undefined)


def _adapted(request: Request, adapted: Adapted) -> Decisions:
    after = adapted.after
    return _of_columns(request, after.positive[:, 0], after.undefined[:, 0], adapted.unadapted)


def _of_columns(request: Request, positive: Bools, undefined: Bools, unadapted: int = 0) -> Decisions:
    columns = request.subject.columns
    return Decisions(positive[:, columns], undefined[:, columns], unadapted)


_PASSES = f"a forward and a backward pass of {ADAPTATION_VIEWS} views, and 2 of one crop"
METHODS: Mapping[str, TestTime] = {
    method.name: method
    for method in (
        TestTime("views", "Mean over {views} chosen views", "{views} forward passes", False, True, _views),
        TestTime("flip", "Mean over crop and mirror image", "2 forward passes", False, False, _flip),
        TestTime("memo", "MEMO", _PASSES, True, False, _memo),
        TestTime("zoom-memo", "Zoom-MEMO", _PASSES, True, False, _zoom_memo),
    )
}
"""The methods by name."""


def find_methods(names: Sequence[str]) -> tuple[TestTime, ...]:
    """Find methods by their names, each once.

    Raises:
        InputError: None is named, or one that there is not.

    >>> [method.title for method in find_methods(["flip", "memo"])]
    ['Mean over crop and mirror image', 'MEMO']
    """
    if not names:
        raise InputError(f"no method at test time is named; there are {', '.join(METHODS)}")
    for name in names:
        if name not in METHODS:
            raise InputError(f"unknown method at test time {name!r}{nearest(name, list(METHODS))}")
    return tuple(METHODS[name] for name in dict.fromkeys(names))
