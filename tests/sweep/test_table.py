"""The table of expected outcomes covers every family, and the page of the documentation shows it."""

from __future__ import annotations

import timm
import torchvision
from timm.models import model_entrypoint

from tests.sweep import page, table
from tests.sweep.cases import CASES
from tests.sweep.families import TIMM, TORCHVISION


def test_every_module_of_timm_is_tried() -> None:
    modules = {model_entrypoint(name).__module__.rsplit(".", 1)[-1] for name in timm.list_models()}
    assert modules == set(TIMM)


def test_every_family_of_torchvision_is_tried() -> None:
    classifiers = torchvision.models.list_models(module=torchvision.models)
    stems = {name.rstrip("0123456789").split("_")[0].rstrip("0123456789") for name in classifiers}
    tried = {family.split("_")[0] for family in TORCHVISION} | {"vit", "wide", "mobilenet", "shufflenet", "squeezenet"}
    assert {stem for stem in stems if not any(stem.startswith(known) for known in tried)} == set()


def test_nearly_every_model_is_explained_and_no_claim_is_false() -> None:
    outcomes = table.read()
    assert {table.key(case, size) for case in CASES for size in case.sizes} >= set(outcomes)
    first = [outcomes[table.key(case, case.sizes[0])] for case in CASES]
    assert not [outcome for outcome in outcomes.values() if outcome.faults]
    assert {outcome.result for outcome in first} <= {"exact", "conditional", "diagnostic", "refused"}
    assert sum(outcome.result != "refused" for outcome in first) >= 0.94 * len(first)  # 145 of 154


def test_the_page_shows_the_table() -> None:
    assert page.PAGE.read_text("utf-8") == page.render(), "python -m tests.sweep --write --none makes the page anew"
