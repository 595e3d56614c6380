"""Label sets of 400 photographs of 40 people, by folds: who it is, and what few people permit to calibrate.

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m experiments.average_k.orl

writes ``orl.json`` and ``orl.md``. Features are those of the ImageNet backbone of ``experiments/train/orl.yaml``, which
is not trained; on these a linear head is fitted in each fold. Every photograph is judged once, and the sets of the four
folds are taken together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from bincam.data import AttributeTable, orl
from bincam.errors import InputError
from bincam.files import atomic, read_json, write_json
from bincam.postprocessing.average_k import fit_average_k
from bincam.postprocessing.conformal import class_conditional, lac
from bincam.postprocessing.label_sets import LabelSets, top_k_sets
from bincam.provenance import versions
from bincam.stats import Clusters, set_coverage
from bincam.stats.estimate import Estimate
from bincam.train.runs.manifest import revision
from experiments.scenes.over_seeds import table

HERE = Path(__file__).parent
KIND, SCHEMA = "bincam-experiment-average-k-orl", 1
FOLDS, PEOPLE = 4, "person"
SIZES = (1.0, 1.2, 1.5, 2.0)
ALPHAS = (0.1, 0.25)
HEADS: Mapping[str, str | None] = {"unbalanced": None, "balanced": "balanced"}
STRENGTH = 0.01
"""Inverse of the penalty of the linear heads, as in ``experiments/train/probe.py``."""
Floats = NDArray[np.floating[Any]]
Folds = Callable[[int, bool], AttributeTable]
"""A fold's number, and whether the people are its classes, to the table with its splits."""


def of_orl(fold: int, people: bool) -> AttributeTable:
    """Read the photographs: people are divided into folds, or the photographs of each where they are the classes."""
    return orl(fold=fold, one_of_columns=(PEOPLE,)) if people else orl(fold=fold)


def measured(features: Mapping[str, Floats], folds: Folds = of_orl) -> dict[str, Any]:
    """Make and judge the sets of all folds.

    Args:
        features: Name of an image to its features ``(D,)``.
        folds: See ``Folds``.
    """
    return {"people": of_people(features, folds), "attributes": of_attributes(features, folds)}


def of_people(features: Mapping[str, Floats], folds: Folds) -> dict[str, Any]:
    """Judge sets of people: of each, photographs are in every split."""
    judged: dict[str, list[Any]] = {}
    true, identities = [], []
    for fold in range(FOLDS):
        whole = folds(fold, True)
        columns = [whole.names.index(name) for name in whole.one_of[PEOPLE]]
        splits = {name: whole.split(name) for name in ("train", "validation", "test")}
        y = {name: split.labels[:, columns].argmax(1) for name, split in splits.items()}
        head = fitted(_of(features, splits["train"]), y["train"], None)
        p = {
            name: softmax(head.decision_function(_of(features, splits[name])), axis=1).astype(np.float32)
            for name in ("validation", "test")
        }
        for size in SIZES:
            _add(judged, f"average-K, K = {size:g}", fit_average_k(p["validation"], size).sets(p["test"]))
            if size.is_integer():
                _add(judged, f"top-{size:g}", top_k_sets(p["test"], int(size)))
        for alpha in ALPHAS:  # people are the classes, so that images, and not people, are what is drawn
            _add(judged, f"LAC, α = {alpha:g}", lac(p["validation"], y["validation"], alpha).sets(p["test"]))
        true.append(y["test"])
        identities += list(splits["test"].identities)
    return _figures(judged, np.concatenate(true), np.zeros(len(columns), bool), identities)


def of_attributes(features: Mapping[str, Floats], folds: Folds) -> dict[str, Any]:
    """Judge sets of no and yes of each attribute, of two heads: nobody is in two splits."""
    first = folds(0, False)
    found: dict[str, Any] = {}
    for a, attribute in enumerate(first.names):
        for head, weight in HEADS.items():
            judged: dict[str, list[Any]] = {}
            true, identities, kept = [], [], set()
            for fold in range(FOLDS):
                whole = folds(fold, False)
                parts = {name: _labelled(whole.split(name), a) for name in ("train", "validation", "test")}
                (x, y, _), (x_fit, y_fit, people), (x_test, y_test, tested) = (
                    (_of(features, part), part.labels[:, a].astype(int), part.identities) for part in parts.values()
                )
                model = fitted(x, y, weight)
                p, p_test = (_answers(model.decision_function(part)) for part in (x_fit, x_test))
                _add(judged, "average-K, K = 1", fit_average_k(p, 1.0).sets(p_test))
                for alpha in ALPHAS:
                    for name, fit in (("LAC", lac), ("class-conditional", class_conditional)):
                        rule = f"{name}, α = {alpha:g}"
                        try:
                            by = fit(p, y_fit, alpha, identities=people, names=("no", "yes"))
                        except InputError:  # fewer people than the coverage needs: every set is whole
                            kept |= {f"{rule}: nothing can be calibrated in fold {fold}"}
                            _add(judged, rule, np.ones_like(p_test, bool))
                            continue
                        kept |= {f"{rule}: {one} always kept in fold {fold}" for one in by.always_kept}
                        _add(judged, rule, by.sets(p_test, names=("no", "yes")))
                true.append(y_test)
                identities += list(tested)
            labels = np.concatenate(true)
            rare = np.array([(labels == 0).sum() < (labels == 1).sum(), (labels == 1).sum() <= (labels == 0).sum()])
            found.setdefault(attribute, {})[head] = {
                **_figures(judged, labels, rare, identities),
                "always_kept": sorted(kept),
            }
    return found


def fitted(features: Floats, true: NDArray[np.integer], weight: str | None) -> Pipeline:
    """Fit a linear head on standardised features."""
    head = LogisticRegression(C=STRENGTH, class_weight=weight, max_iter=2000)
    return make_pipeline(StandardScaler(), head).fit(features, true)


def _answers(logits: Floats) -> Floats:
    return np.stack([expit(-logits), expit(logits)], 1).astype(np.float32)


def _labelled(part: AttributeTable, a: int) -> AttributeTable:
    return part.take(np.flatnonzero(~np.isnan(part.labels[:, a])))


def _of(features: Mapping[str, Floats], part: AttributeTable) -> Floats:
    return np.stack([features[name] for name in part.ids])


def _add(judged: dict[str, list[Any]], rule: str, sets: LabelSets | NDArray[np.bool_]) -> None:
    judged.setdefault(rule, []).append(sets.members if isinstance(sets, LabelSets) else sets)


def _figures(
    judged: Mapping[str, list[Any]], true: NDArray[np.integer], rare: NDArray[np.bool_], identities: list[str]
) -> dict[str, Any]:
    clusters, rules = Clusters.of(identities), {}
    for rule, members in judged.items():
        found = set_coverage(np.concatenate(members), true, rare, clusters)
        figures = {"coverage": found.coverage, "size": found.size, "minority": found.few, "majority": found.others,
                   "several": found.several, "empty": found.empty}  # fmt: skip
        rules[rule] = {name: figure.to_json() for name, figure in figures.items()}
    return {"images": len(true), "people": clusters.count, "rules": rules}


def imagenet_features() -> dict[str, Floats]:
    """Compute the mean-pooled features of all photographs by the backbone before training."""
    from bincam.train import read_config
    from bincam.train.runs.initial_model import initial_model
    from experiments.train.probe import CONFIG, features

    config, whole = read_config(CONFIG), of_orl(0, False)
    model = initial_model(config, whole, {}).eval()
    return dict(zip(whole.ids, features(model, whole, config.data.fit), strict=True))


def document(results: Mapping[str, Any]) -> str:
    """Write the results as Markdown."""
    people = results["people"]
    lines = [
        "# Label sets of ORL, by folds",
        "",
        f"{people['images']} photographs of {people['people']} people, each judged once in one of four folds, by "
        "linear heads on ImageNet features. Made by `orl.py`; do not edit. Intervals of 95 % account for people; † of "
        "too few of them to rely on.",
        "",
        "## Who is it?",
        "",
        "One of 40 people, of each of whom five photographs are in training, two or three calibrate and as many are "
        "judged.",
        "",
        table(
            ["sets", "labels per image", "hold the true person", "several", "empty"],
            [
                [rule, *(_written(entry[name], name, rule) for name in ("size", "coverage", "several", "empty"))]
                for rule, entry in people["rules"].items()
            ],
        ),
    ]
    for attribute, heads in results["attributes"].items():
        first = next(iter(heads.values()))
        lines += [
            "",
            f"## {attribute}",
            "",
            f"{first['images']} photographs of {first['people']} people; nobody is in two of a fold's splits, and the "
            "people of one fold calibrate.",
            "",
            table(
                ["head", "sets", "majority covered", "minority covered", "answers", "cannot say", "nothing"],
                [
                    [
                        head,
                        rule,
                        *(
                            _written(entry[name], name, rule)
                            for name in ("majority", "minority", "size", "several", "empty")
                        ),
                    ]
                    for head, of_head in heads.items()
                    for rule, entry in of_head["rules"].items()
                ],
            ),
        ]
    return "\n".join([*lines, ""])


def _written(entry: Mapping[str, Any], name: str, rule: str) -> str:
    one = Estimate.from_json(entry)
    if rule.startswith("top-") and name != "coverage":  # by definition
        return f"{one.value:g}"
    if not one.defined:
        return "undefined"
    digits = 2 if name == "size" else 3
    interval = "" if np.isnan(one.low) else f" [{one.low:.{digits}f}, {one.high:.{digits}f}]"
    return f"{one.value:.{digits}f}{interval}{'†' if one.status != 'ok' else ''}"


def main() -> None:
    """Measure, and write both files."""
    results = measured(imagenet_features())
    stated = {"kind": KIND, "schema": SCHEMA, "versions": versions("training"), "git": revision()}
    write_json(HERE / "orl.json", {**stated, **results}, compact=True)
    with atomic(HERE / "orl.md") as part:
        part.write_text(document(read_json(HERE / "orl.json", kind=KIND, schema=SCHEMA)), encoding="utf-8")


if __name__ == "__main__":
    main()
