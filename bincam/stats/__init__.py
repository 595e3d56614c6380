"""Estimates, intervals, tests and rates: arrays in, figures out; free of models, data sets and files.

Public names are loaded on first use, so ``import bincam.stats`` loads none of scipy, scikit-learn and statsmodels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.stats.calibration import Calibration as Calibration
    from bincam.stats.calibration import calibrate as calibrate
    from bincam.stats.calibration import probability as probability
    from bincam.stats.class_counts import ClassCounts as ClassCounts
    from bincam.stats.classification import Metrics as Metrics
    from bincam.stats.classification import evaluate as evaluate
    from bincam.stats.clusters import Clusters as Clusters
    from bincam.stats.estimate import Estimate as Estimate
    from bincam.stats.framing.answers import attribute_answers as attribute_answers
    from bincam.stats.framing.answers import rightness as rightness
    from bincam.stats.framing.answers import set_answers as set_answers
    from bincam.stats.framing.any_view import oracles as oracles
    from bincam.stats.framing.cover import greedy_cover as greedy_cover
    from bincam.stats.framing.label_vectors import exact_match as exact_match
    from bincam.stats.framing.positions import positions_centred as positions_centred
    from bincam.stats.framing.positions import positions_visible as positions_visible
    from bincam.stats.framing.scales import needed_scale as needed_scale
    from bincam.stats.framing.sensitivity import framing_sensitivity as framing_sensitivity
    from bincam.stats.hypotheses.hypothesis_tests import difference_test as difference_test
    from bincam.stats.hypotheses.hypothesis_tests import family as family
    from bincam.stats.hypotheses.hypothesis_tests import mcnemar as mcnemar
    from bincam.stats.hypotheses.hypothesis_tests import paired_test as paired_test
    from bincam.stats.intervals import effective_count as effective_count
    from bincam.stats.intervals import gap as gap
    from bincam.stats.intervals import mean_of_two as mean_of_two
    from bincam.stats.intervals import ratio as ratio
    from bincam.stats.intervals import wilson as wilson
    from bincam.stats.proportions import shares as shares
    from bincam.stats.rates.equalised_odds import demographic_parity_difference as demographic_parity_difference
    from bincam.stats.rates.equalised_odds import equalised_odds_difference as equalised_odds_difference
    from bincam.stats.rates.operating_point import rate_at as rate_at
    from bincam.stats.rates.predictive_value import predictive_values as predictive_values
    from bincam.stats.roc import ranking as ranking
    from bincam.stats.sets.coverage import attribute_coverage as attribute_coverage
    from bincam.stats.sets.coverage import coverage_by_slice as coverage_by_slice
    from bincam.stats.sets.coverage import set_coverage as set_coverage
    from bincam.stats.sets.estimates import confusion_shares as confusion_shares
    from bincam.stats.sets.estimates import estimate_set as estimate_set
    from bincam.stats.sets.estimates import top_k_accuracy as top_k_accuracy
    from bincam.stats.sets.metrics import evaluate_set as evaluate_set

_NAMES = {
    "Calibration": "calibration",
    "ClassCounts": "class_counts",
    "Clusters": "clusters",
    "Estimate": "estimate",
    "Metrics": "classification",
    "attribute_coverage": "sets.coverage",
    "attribute_answers": "framing.answers",
    "exact_match": "framing.label_vectors",
    "framing_sensitivity": "framing.sensitivity",
    "greedy_cover": "framing.cover",
    "needed_scale": "framing.scales",
    "oracles": "framing.any_view",
    "positions_centred": "framing.positions",
    "positions_visible": "framing.positions",
    "rightness": "framing.answers",
    "set_answers": "framing.answers",
    "calibrate": "calibration",
    "coverage_by_slice": "sets.coverage",
    "demographic_parity_difference": "rates.equalised_odds",
    "difference_test": "hypotheses.hypothesis_tests",
    "effective_count": "intervals",
    "confusion_shares": "sets.estimates",
    "equalised_odds_difference": "rates.equalised_odds",
    "estimate_set": "sets.estimates",
    "evaluate": "classification",
    "evaluate_set": "sets.metrics",
    "family": "hypotheses.hypothesis_tests",
    "gap": "intervals",
    "mcnemar": "hypotheses.hypothesis_tests",
    "mean_of_two": "intervals",
    "paired_test": "hypotheses.hypothesis_tests",
    "predictive_values": "rates.predictive_value",
    "probability": "calibration",
    "ranking": "roc",
    "rate_at": "rates.operating_point",
    "ratio": "intervals",
    "set_coverage": "sets.coverage",
    "shares": "proportions",
    "top_k_accuracy": "sets.estimates",
    "wilson": "intervals",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
