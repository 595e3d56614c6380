"""AUROC of the ORL attributes from ImageNet features without fine-tuning, in the four folds of (b).

A balanced logistic regression on the mean-pooled features of the backbone that ``orl.yaml`` starts from, standardised
on the training photographs: the information in the features before any weight of the network is trained.

Run from the repository: ``PYTHONPATH=. python experiments/train/probe.py --out experiments/train/probe.json``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bincam import provenance
from bincam.data import AttributeTable, loader
from bincam.files import write_json
from bincam.models import AttributeClassifier
from bincam.train import read_config
from bincam.train.runs.initial_model import initial_model
from bincam.train.runs.manifest import revision
from bincam.train.runs.splits import read_splits

CONFIG = Path(__file__).with_name("orl.yaml")


@torch.no_grad()
def features(model: AttributeClassifier, table: AttributeTable, fit: str | None) -> Any:
    """Compute the mean-pooled features, ``(N, D)``."""
    backbone = model.network.backbone
    batches = loader(table, card=model.card, batch_size=50, fit=fit)
    return torch.cat([backbone.forward_features(batch.images).mean((2, 3)) for batch in batches]).numpy()


def areas(size: int, fold: int) -> dict[str, float]:
    """Compute the AUROC of each attribute on the fold's test photographs."""
    config = read_config(CONFIG, [f"data.size={size}", f"data.fold={fold}"])
    splits = read_splits(config.data)
    assert splits.test is not None
    model = initial_model(config, splits.train, {}).eval()
    train, test = (features(model, table, config.data.fit) for table in (splits.train, splits.test))
    result = {}
    for i, name in enumerate(splits.train.names):
        y, truth = splits.train.labels[:, i], splits.test.labels[:, i]
        labelled, tested = ~np.isnan(y), ~np.isnan(truth)
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000))
        scores = probe.fit(train[labelled], y[labelled]).decision_function(test[tested])
        result[name] = round(float(roc_auc_score(truth[tested], scores)), 4)
    return result


def main() -> None:
    """Compute the AUROCs and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 224], help="pixels")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    folds = {size: [areas(size, fold) for fold in range(4)] for size in options.sizes}
    mean = {size: {a: round(sum(f[a] for f in rows) / 4, 4) for a in rows[0]} for size, rows in folds.items()}
    result = {
        "kind": "bincam-experiment-probe",
        "schema": 1,
        "versions": provenance.versions("training"),
        "git": revision(),
    }
    write_json(options.out, {**result, "auroc": {str(s): {"mean": mean[s], "folds": folds[s]} for s in folds}})
    print(mean)


if __name__ == "__main__":
    main()
