"""Modules of timm as the backbone of ``models.build`` with mean pooling: exact, with places."""

from __future__ import annotations

import pytest

from tests.sweep.builds import builds, built

pytestmark = pytest.mark.slow


def parameters() -> list[pytest.param]:
    return [pytest.param(*case, id=case[0]) for case in builds()]


@pytest.mark.parametrize(("name", "options", "size"), parameters())
def test_a_build_with_mean_pooling_is_exact(name: str, options: dict, size: tuple[int, int]) -> None:
    outcome = built(name, options, size)
    assert outcome.result == "exact", outcome
    assert not outcome.faults, outcome
