#!/usr/bin/env bash
# Guessed: a classifier whose errors do not depend on the group has an equalised-odds difference near 0 in fairlearn, so
# a value of 0.1 among four groups of 100 is evidence of unequal treatment.
# True: it is the largest of several differences of estimated rates, which is far from 0 by chance alone; fairlearn's
# bootstrap (ci_quantiles of MetricFrame) resamples the overestimate with it, and its intervals lie above 0.
# Matters: auditors quote the figure without its value under equal treatment, and set thresholds of 0.1 on it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet fairlearn==0.15.0 scikit-learn==1.9.1 numpy==2.4.6 pandas==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from fairlearn.metrics import MetricFrame, equalized_odds_difference, true_positive_rate

print("fairlearn", version("fairlearn"))
random = np.random.default_rng(0)
group = np.repeat(["a", "b", "c", "d"], 100)
differences = []
for _ in range(300):
    truth = random.integers(0, 2, 400)
    wrong = random.random(400) < 0.2  # whatever the group
    differences.append(equalized_odds_difference(truth, truth ^ wrong, sensitive_features=group))
median, tenth = np.median(differences), np.quantile(differences, 0.1)
print(f"equal error of 20 % in four groups of 100: median {median:.3f}, a tenth below {tenth:.3f}, true value 0")

above = 0
for seed in range(40):
    truth = random.integers(0, 2, 400)
    predicted = truth ^ (random.random(400) < 0.2)
    frame = MetricFrame(
        metrics=true_positive_rate, y_true=truth, y_pred=predicted, sensitive_features=group,
        n_boot=200, ci_quantiles=[0.025, 0.5, 0.975], random_state=seed,
    )
    low, middle, high = frame.difference_ci()
    above += low > 0
print(f"95 % bootstrap intervals of the difference of true-positive rates above 0: {above} of 40")
if not (0.12 < median < 0.2 and tenth > 0.08 and above == 40):
    raise SystemExit("the behaviour has changed")
PYTHON
