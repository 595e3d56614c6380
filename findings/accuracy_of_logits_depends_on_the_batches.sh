#!/usr/bin/env bash
# Guessed: torchmetrics' accuracy of logits over an epoch is that of all images together, however they were batched; and its
# macro AUROC leaves out a label without positives, whose curve is undefined.
# True: whether scores are logits is guessed in every batch, from whether one lies outside [0, 1]: small positive logits among
# themselves are taken for probabilities, and the answer of an image depends on its neighbours. And the label without positives
# counts as 0 in the mean.
# Matters: error rates change with the batch size, most for a hesitant model; and a perfect model of 40 rare labels gets a
# macro AUROC of .9 where four of them do not occur in the test set.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import torch
import torchmetrics
from torchmetrics.classification import BinaryAccuracy, MultilabelAUROC

warnings.simplefilter("ignore")
print("torchmetrics", torchmetrics.__version__, "torch", torch.__version__)
logits, labels = torch.tensor([0.3, 0.2, 0.4, -2.0]), torch.tensor([1, 1, 1, 0])
accuracies = {}
for size in (4, 3, 1):
    metric = BinaryAccuracy()
    for batch, answers in zip(logits.split(size), labels.split(size), strict=True):
        metric.update(batch, answers)
    accuracies[size] = metric.compute().item()
    print(f"logits {logits.tolist()}, all on the right side of 0, in batches of {size}: accuracy {accuracies[size]:.2f}")

truth = torch.eye(10, dtype=torch.long)[:, :9]
truth = torch.cat([truth, torch.zeros(10, 1, dtype=torch.long)], 1)
macro = MultilabelAUROC(10)(truth.float(), truth).item()
print(f"perfect scores of ten labels, of which one has no positives: macro AUROC {macro:.2f}")
if not (accuracies == {4: 1.0, 3: 0.25, 1: 0.25} and abs(macro - 0.9) < 1e-6):
    raise SystemExit("the behaviour has changed")
PYTHON
