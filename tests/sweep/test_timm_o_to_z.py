"""Modules of timm from o to z, against the table of expected outcomes."""

from __future__ import annotations

import pytest

from tests.sweep.check import cases, check
from tests.sweep.outcome import Case, Size

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("case", "size"), cases("timm", "o"))
def test_what_comes_of_it_is_expected(case: Case, size: Size) -> None:
    check(case, size)
