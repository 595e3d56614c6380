"""Labels are 0, 1 or unknown, wherever they are given."""

import numpy as np
import pytest
import torch

from bincam.cam.reference import ReferenceFit
from bincam.decision import check_labels
from bincam.errors import InputError
from bincam.metrics import donors, partners
from bincam.postprocessing.cell_pooling import fit_poolings
from bincam.postprocessing.platt import platt
from bincam.postprocessing.thresholds import tune
from bincam.stats.class_counts import ClassCounts
from bincam.stats.classification import count
from bincam.train.steps.resampling import class_aware, rarest_label, rates

LOGITS = np.array([[0.1], [1.0], [2.0], [-1.0]])
TAKES_LABELS = {
    "check_labels": check_labels,
    "ClassCounts": lambda labels: ClassCounts.from_labels(("a",), labels),
    "count": lambda labels: count(LOGITS, labels, 0.0),
    "platt": lambda labels: platt(LOGITS, labels),
    "tune": lambda labels: tune(LOGITS, labels),
    "fit_poolings": lambda labels: fit_poolings({"mean": LOGITS[:, 0]}, np.asarray(labels)[:, 0], 0.0),
    "partners": partners,
    "donors": lambda labels: donors(labels, np.ones((4, 1), bool)),
    "rates": lambda labels: rates(labels, np.full(4, 0.25)),
    "class_aware": class_aware,
    "rarest_label": rarest_label,
    "reference": lambda labels: ReferenceFit(["a"]).add(torch.zeros(4, 1, 2, 2), torch.tensor(labels)),
}


@pytest.mark.parametrize("name", TAKES_LABELS)
@pytest.mark.parametrize("wrong", [0.5, -5.0, np.inf])
def test_other_numbers_than_0_and_1_are_refused(name, wrong):
    with pytest.raises(InputError, match=f"label.* {wrong:g}"):
        TAKES_LABELS[name]([[0.0], [1.0], [wrong], [1.0]])
    TAKES_LABELS[name]([[0.0], [1.0], [0.0 if name == "rarest_label" else np.nan], [1.0]])


@pytest.mark.parametrize("name", [name for name in TAKES_LABELS if name not in ("class_aware", "rarest_label")])
def test_labels_of_5_are_refused_where_they_are_no_class_of_a_set(name):
    with pytest.raises(InputError, match=r"label.* 5"):
        TAKES_LABELS[name]([[0.0], [1.0], [5.0], [1.0]])
