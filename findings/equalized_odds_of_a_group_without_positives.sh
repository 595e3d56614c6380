#!/usr/bin/env bash
# Guessed: in a group without positives the true-positive rate is undefined, so fairlearn leaves the group out of the
# equalised-odds difference or returns NaN, as for any rate of nothing.
# True: the rate is 0. A classifier that is right about every image gets a difference of 1 and a ratio of 0, the worst
# values there are, as soon as one group has no positives.
# Matters: rare attributes have no positives in small groups all the time, and what is reported then is the composition of
# the test set.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet fairlearn==0.15.0 scikit-learn==1.9.1 numpy==2.4.6 pandas==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from fairlearn.metrics import (
    MetricFrame,
    equal_opportunity_difference,
    equalized_odds_difference,
    equalized_odds_ratio,
    true_positive_rate,
)

print("fairlearn", version("fairlearn"))
found = {}
for name, labels in {"one positive": [1, 0, 0, 0], "no positive": [0, 0, 0, 0]}.items():
    truth = [1, 1, 1, 0, 0, 0, *labels]
    group = ["a"] * 6 + ["b"] * 4
    answers = {"y_true": truth, "y_pred": truth, "sensitive_features": group}
    rates = MetricFrame(metrics=true_positive_rate, **answers).by_group.to_dict()
    measures = (equalized_odds_difference, equal_opportunity_difference, equalized_odds_ratio)
    found[name] = [float(measure(**answers)) for measure in measures]
    print(f"perfect answers, {name} in group b: true-positive rates {rates}")
    for measure, value in zip(measures, found[name], strict=True):
        print(f"  {measure.__name__:30} {value:.1f}")
if found != {"one positive": [0.0, 0.0, 1.0], "no positive": [1.0, 1.0, 0.0]}:
    raise SystemExit("the behaviour has changed")
PYTHON
