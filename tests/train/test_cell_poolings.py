"""Training with poolings of cell scores, which leaves models that load with the same pooling."""

from __future__ import annotations

import json

import pytest

import bincam
from bincam.errors import InputError
from bincam.train import fit


@pytest.mark.parametrize(
    ("pooling", "options"),
    [("top", {"share": 0.25}), ("noisy_or", {}), ("pcam", {}), ("logsumexp", {"sharpness": 4.0})],
)
def test_two_epochs_lower_the_loss_and_the_card_states_the_pooling(config, pooling, options):
    result = fit(config(model__pooling=pooling, model__pooling_options=options, optimizer__lr=1e-2, data__size=64))
    losses = [json.loads(line)["train_loss"] for line in (result.folder / "metrics.jsonl").read_text().splitlines()]
    assert losses[1] < losses[0]
    card = bincam.load(result.folder).card
    assert (card.pooling, card.pooling_options) == (pooling, options)


def test_options_are_refused_before_anything_is_read(config):
    with pytest.raises(InputError, match=r"option 'share' of pooling 'mean'"):
        config(model__pooling_options={"share": 0.1})


def test_a_regression_loss_makes_no_probabilities_of_cells(config):
    with pytest.raises(InputError, match="pooling 'noisy_or' reads the scores of cells as log-odds"):
        fit(config(model__pooling="noisy_or", loss="euclidean"))
