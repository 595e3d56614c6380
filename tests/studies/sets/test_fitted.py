"""Stored rules: they give the sets of the thresholds that they were made of, and damaged ones are refused."""

import json

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.studies.sets.fitted import FittedRule
from bincam.studies.sets.fitting import fit_answers
from bincam.studies.sets.settings import SetsSettings


def test_a_stored_rule_gives_the_same_sets():
    rng = np.random.default_rng(0)
    p = rng.dirichlet([0.5] * 4, size=200)
    true = p.argmax(1)
    true[true == 3] = 0  # a class without an image
    fits = fit_answers(p, true, list("abcd"), None, SetsSettings(sizes=(1, 4), free=1, ties="random"))
    assert not fits.left_out
    assert set(fits.rules) == {"lac", "class_conditional", "average_k=1", "average_k=4", "aps", "raps"}
    for rule in fits.rules.values():
        again = FittedRule.from_json(json.loads(json.dumps(rule.to_json(), allow_nan=False)))
        assert again == rule
        assert (again.sets(p).members == rule.sets(p).members).all()
    assert fits.rules["average_k=4"].sets(p).members.all()
    assert fits.rules["class_conditional"].always_kept == ("d",)
    assert fits.rules["class_conditional"].sets(p).members[:, 3].all()


@pytest.mark.parametrize("change", [{"thresholds": "a"}, {"raps": []}, {"answers": None}])
def test_a_damaged_rule_is_refused_in_a_line(change):
    entry = FittedRule("lac", ("no", "yes"), (0.4, 0.4)).to_json()
    with pytest.raises(InputError, match="a stored rule of sets is damaged"):
        FittedRule.from_json(entry | change)
