"""Where do randomisation tests disagree about the same maps: ours, the published cascade, and those of Quantus?

    PYTHONPATH=. python -m experiments.truth.quantus_comparison --model FOLDER --data FOLDER
    PYTHONPATH=. python -m experiments.truth.quantus_comparison --table

The model is the unbalanced one of ``experiments.faces_grid``, seed 1. Five kinds of maps of the same images and
attributes: the model's Grad-CAM, a mixture of it with edges, and three that have nothing of the model: edges, smoothed
brightness, and a blob in the centre. Every image is of another person. Each test gives every map a score; beside its
mean over the images stands how well it tells Grad-CAM's maps from these (AUROC over images; .5: not at all; below .5:
it prefers the others).

Quantus is installed without its dependencies, because it asks for opencv-python, which would overwrite
opencv-python-headless: ``pip install --no-deps quantus==0.6.0 cachetools==5.5.0``.
"""

from __future__ import annotations

import argparse
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bincam import Explainer, provenance
from bincam.errors import BincamWarning
from bincam.files import read_json, write_json
from bincam.metrics import parameter_dependence, spearman
from bincam.metrics.randomization.image_pairs import pairs
from bincam.metrics.randomization.permutation import CalledModules, exchanged, permute
from bincam.metrics.randomization.template import unit_maps, without_template
from bincam.stats.clustered.means import overall_means
from bincam.stats.clusters import Clusters
from experiments.scenes.over_seeds import number
from experiments.scenes.over_seeds import table as as_table

FILE = Path(__file__).parent / "quantus.json"
KIND, SCHEMA = "bincam-experiment-quantus", 1
ATTRIBUTES = ("Smiling", "Eyeglasses")
IMAGES, SEED, DRAWS, STAGES, NOISY = 48, 0, 2, 6, 4
MODEL = "Grad-CAM"
AS_CALLED = "Quantus smooth MPRT, as called"
HIGH = ("Quantus efficient MPRT",)
"""Tests in which a high score speaks for the maps; in all others a low one does."""

Floats = NDArray[np.float64]
Draw = Callable[[Tensor, Tensor], Tensor]
"""Makes maps ``(B, A, h, w)`` of the model's maps and the images ``(B, 3, H, W)``."""


def unit(maps: Tensor) -> Tensor:
    """Centre each map and scale it to unit variance; a constant one becomes 0."""
    centred = maps - maps.mean((-2, -1), keepdim=True)
    return centred / centred.square().mean((-2, -1), keepdim=True).sqrt().clamp_min(1e-12)


def brightness(maps: Tensor, images: Tensor) -> Tensor:
    """Return the images' brightness, averaged over the cells and smoothed over 3 × 3 of them."""
    cells = nn.functional.adaptive_avg_pool2d(images.mean(1, keepdim=True), maps.shape[-2:])
    smooth = nn.functional.avg_pool2d(cells, 3, stride=1, padding=1, count_include_pad=False)
    return unit(smooth).expand_as(maps)


def edges(maps: Tensor, images: Tensor) -> Tensor:
    """Return the magnitude of the images' gradient, averaged over the cells."""
    grey = images.mean(1, keepdim=True)
    along, down = grey.diff(dim=-1)[..., :-1, :], grey.diff(dim=-2)[..., :-1]
    cells = nn.functional.adaptive_avg_pool2d((along.square() + down.square()).sqrt(), maps.shape[-2:])
    return unit(cells).expand_as(maps)


def blob(maps: Tensor, _: Tensor) -> Tensor:
    """Return a Gaussian in the centre of the frame."""
    rows, columns = (torch.linspace(-1, 1, side) for side in maps.shape[-2:])
    shape = torch.exp(-2 * (rows[:, None].square() + columns.square())).to(maps)
    return unit(shape[None, None]).expand_as(maps)


def half(maps: Tensor, images: Tensor) -> Tensor:
    """Return maps of which a half is edges, and the rest the model's."""
    return (unit(maps) + edges(maps, images)) / 2


@dataclass(frozen=True)
class Kind:
    """A kind of maps.

    Attributes:
        draw: Makes the maps.
        of_model: Whether the model's maps are needed for it.
    """

    draw: Draw
    of_model: bool = False


KINDS: Mapping[str, Kind] = {
    MODEL: Kind(lambda maps, _: maps, of_model=True),
    "half edges": Kind(half, of_model=True),
    "edges": Kind(edges),
    "smoothed brightness": Kind(brightness),
    "centre blob": Kind(blob),
}


@dataclass(frozen=True)
class Subject:
    """What all tests are given.

    Attributes:
        model: The network, in evaluation mode.
        columns: Positions of the attributes among its outputs.
        images: ``(B, 3, H, W)``.
        people: Of the images.
    """

    model: nn.Module
    columns: tuple[int, ...]
    images: Tensor
    people: Clusters

    def maps(self, model: nn.Module | None = None, images: Tensor | None = None) -> Tensor:
        """Return Grad-CAM's maps of the attributes, ``(B, A, h, w)``, of this model or of a randomised one."""
        names = list(ATTRIBUTES)
        explain = Explainer(self.model if model is None else model, attributes=names, batch_size=32)
        return explain(self.images if images is None else images, "positive").maps.detach()


def read(model: Path, data: Path, count: int) -> Subject:
    """Read a model, and an image of each of the first people of the test split."""
    from bincam.data import load, loader
    from bincam.models import load as load_model

    network = load_model(model).eval()
    table = load(data).split("test")
    if table.identities is not None:
        table = table.take(np.sort(np.unique(table.identities, return_index=True)[1]))
    images = next(iter(loader(table, card=network.card, batch_size=count))).images
    names = list(network.card.attributes)
    return Subject(network, tuple(map(names.index, ATTRIBUTES)), images, Clusters.of([""] * len(images)))


def estimate(values: Floats, people: Clusters) -> dict[str, Any]:
    """Estimate the mean of one score per image, with its interval over people."""
    found = overall_means(values[:, None], people, (-np.inf, np.inf), 0.95).estimate(0, 0).to_json()
    return {name: found[name] for name in ("value", "low", "high", "images", "status")}


def per_image(values: Any) -> Floats:
    """Average the scores ``(B, A)`` that are defined over the attributes; NaN where none is."""
    given = np.asarray(values, np.float64)
    count = np.isfinite(given).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nansum(given, 1) / count)


def cascade(subject: Subject) -> list[list[Tensor]]:
    """Return the model's maps for each draw and stage, parameters permuted from the head on, as in bincam's test."""
    modules = CalledModules.of(subject.model, lambda: subject.model(subject.images[:1]))
    found = []
    with torch.no_grad(), exchanged(subject.model) as copies:
        for draw in range(DRAWS):
            generator = torch.Generator().manual_seed(SEED + draw)
            for copy, parameter in copies:
                copy.copy_(parameter)
            stages = []
            for _, group in modules.groups(STAGES):
                for module in group:
                    permute(module, generator)
                with torch.enable_grad():
                    stages.append(subject.maps())
            found.append(stages)
    return found


def ssim(one: Tensor, other: Tensor) -> Floats:
    """Compute SSIM of the magnitudes of maps, each scaled by its maximum, ``(B, A)``; NaN of a constant map."""
    from skimage.metrics import structural_similarity

    scaled = [(maps.abs() / maps.abs().amax((-2, -1), keepdim=True)).double().numpy() for maps in (one, other)]
    pairs = zip(*(maps.reshape(-1, *maps.shape[-2:]) for maps in scaled), strict=True)
    found = [structural_similarity(a, b, data_range=1.0) for a, b in pairs]
    return np.asarray(found).reshape(scaled[0].shape[:2])


def ours(kind: Kind, subject: Subject, learned: Tensor, randomised: Sequence[Sequence[Tensor]]) -> dict[str, Any]:
    """Carry out bincam's test and the published cascade; scores of every image."""
    own = kind.draw(learned, subject.images)
    stages = [[kind.draw(maps, subject.images) for maps in draw] for draw in randomised]
    last = [draw[-1].double().numpy() for draw in stages]
    identities = [str(code) for code in subject.people.codes]
    verdict = parameter_dependence(own.double().numpy(), last, identities)
    likeness = [[per_image(spearman(own, maps).abs()) for maps in draw] for draw in stages]
    signed = [per_image(spearman(own, draw[-1])) for draw in stages]
    structure = [per_image(ssim(own, draw[-1])) for draw in stages]
    return {
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "variance_left": verdict.variance_left.value,
        "excess": verdict.excess.to_json(),
        "scores": {
            "excess": np.mean([_excess(own, maps, subject.people) for maps in last], 0),
            "cascade |Spearman|, all random": np.mean([draw[-1] for draw in likeness], 0),
            "cascade |Spearman|, mean of stages": np.mean(likeness, (0, 1)),
            "Spearman with its sign, all random": np.mean(signed, 0),
            "cascade SSIM, all random": np.mean(structure, 0),
        },
    }


def _excess(own: Tensor, maps: Floats, people: Clusters) -> Floats:
    rest = [without_template(unit_maps(each)) for each in (own.double().numpy(), maps)]
    return pairs(rest[0], rest[1], people.codes).excess


def quantus_scores(kind: Kind, subject: Subject) -> dict[str, Floats]:
    """Carry out the three tests of Quantus with all layers drawn anew; one score per image.

    Its smooth MPRT explains by ``quantus.explain``, the gradient of the input, whatever function it is given
    (``findings/smooth_mprt_ignores_the_explanation.sh``); so it is carried out as it is, and with that replaced.
    """
    import quantus

    count = len(subject.images)
    images = subject.images.repeat(len(subject.columns), 1, 1, 1).numpy()
    targets = np.repeat(np.asarray(subject.columns), count)
    grid = subject.maps(images=subject.images[:1]).shape[-2:]

    def explain(model: nn.Module, inputs: Any, targets: Any, **_: Any) -> NDArray[np.float32]:
        given = torch.as_tensor(np.asarray(inputs), dtype=torch.float32)
        unneeded = torch.zeros(len(given), len(subject.columns), *grid)
        shown = subject.maps(model, given) if kind.of_model else unneeded
        maps = kind.draw(shown, given)
        chosen = torch.stack([maps[row, subject.columns.index(int(at))] for row, at in enumerate(targets)])
        fine = nn.functional.interpolate(chosen[:, None], subject.images.shape[-2:], mode="nearest")
        return fine.numpy()

    common: dict[str, Any] = {"disable_warnings": True, "skip_layers": True, "seed": SEED}
    last = {"return_last_correlation": True, **common}
    tests = {
        "Quantus MPRT": quantus.MPRT(**last),
        "Quantus MPRT with signs": quantus.MPRT(abs=False, **last),
        AS_CALLED: quantus.SmoothMPRT(nr_samples=NOISY, **last),
        "Quantus smooth MPRT, of these maps": quantus.SmoothMPRT(nr_samples=NOISY, **last),
        "Quantus efficient MPRT": quantus.EfficientMPRT(**common),
    }
    found = {}
    for name, test in tests.items():
        if name == AS_CALLED and kind not in (KINDS[MODEL], KINDS["centre blob"]):
            continue  # its gradients take long, and are those of the model whatever the maps
        replaced: AbstractContextManager[Any]
        replaced = patch("quantus.explain", explain) if name.endswith("of these maps") else nullcontext()
        with torch.random.fork_rng(), redirect_stdout(io.StringIO()), replaced:
            np.random.seed(SEED)  # noqa: NPY002  Quantus draws its noise from the global state
            try:
                scores = test(
                    model=subject.model,
                    x_batch=images,
                    y_batch=targets,
                    explain_func=explain,
                    device="cpu",
                    batch_size=len(images),  # it refuses a batch in which every cell of every map is negative
                )
            except AssertionError:
                scores = np.full(len(images), np.nan)
        found[name] = per_image(np.asarray(scores, np.float64).reshape(len(subject.columns), count).T)
    return found


def told_apart(good: Floats, other: Floats, *, high_is_good: bool) -> float | None:
    """Return the AUROC of telling Grad-CAM's maps from others by a score; None where one is undefined."""
    from sklearn.metrics import roc_auc_score

    if not (np.isfinite(good).all() and np.isfinite(other).all()):
        return None
    scores = np.concatenate([good, other]) * (1 if high_is_good else -1)
    return float(roc_auc_score(np.repeat([1, 0], [len(good), len(other)]), scores))


def compare(subject: Subject) -> list[dict[str, Any]]:
    """Carry out all tests on all kinds of maps."""
    learned, randomised = subject.maps(), cascade(subject)
    found, scores = [], {}
    for name, kind in KINDS.items():
        judged = ours(kind, subject, learned, randomised)
        scores[name] = judged.pop("scores") | quantus_scores(kind, subject)
        found.append({"maps": name, **judged})
    for entry in found:
        own = scores[entry["maps"]]
        entry["tests"] = {
            test: {
                **estimate(values, subject.people),
                "undefined": int((~np.isfinite(values)).sum()),
                "told_apart": None
                if entry["maps"] == MODEL
                else told_apart(scores[MODEL][test], values, high_is_good=test in HIGH),
            }
            for test, values in own.items()
        }
    return found


def table(content: Mapping[str, Any]) -> str:
    """Make the table of the docs: tests in rows, maps in columns."""
    entries = content["maps"]
    rows = [["bincam: verdict", *(entry["verdict"] for entry in entries)]]
    for test in entries[0]["tests"]:
        cells = []
        for entry in entries:
            one = entry["tests"].get(test)
            if one is None:
                cells.append("–")
                continue
            if one["value"] is None:
                cells.append("undefined")
                continue
            apart = "" if one["told_apart"] is None else f" ({number(one['told_apart'])})"
            cells.append(f"{number(one['value'])}{apart}")
        name = f"bincam: {test}" if test == "excess" else test
        rows.append([name.replace("|", "\\|"), *cells])
    return as_table(["test", *(entry["maps"] for entry in entries)], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="folder of the model")
    parser.add_argument("--data", type=Path, help="folder of the faces")
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--table", action="store_true", help="print the table of the results that are there")
    options = parser.parse_args()
    warnings.simplefilter("ignore", BincamWarning)
    if not options.table:
        if options.model is None or options.data is None:
            parser.error("--model and --data are needed, or --table")
        torch.set_num_threads(1)
        subject = read(options.model, options.data, options.images)
        settings = {"attributes": ATTRIBUTES, "draws": DRAWS, "stages": STAGES, "noisy": NOISY, "seed": SEED}
        content = {
            "kind": KIND,
            "schema": SCHEMA,
            **settings,
            "images": len(subject.images),
            "grid": list(subject.maps(images=subject.images[:1]).shape[-2:]),
            "versions": {**provenance.versions("training"), "quantus": version("quantus")},
            "maps": compare(subject),
        }
        write_json(FILE, content)
    print(table(read_json(FILE, kind=KIND, schema=SCHEMA)))


if __name__ == "__main__":
    main()
