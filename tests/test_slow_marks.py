"""The check that slow tests are marked so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = """
import tests.conftest as shared

shared.LIMIT = 0.2
from tests.conftest import pytest_runtest_call, pytest_runtest_makereport
"""
TESTS = """
import time

import pytest


def burn():
    end = time.process_time() + 0.4
    while time.process_time() < end:
        pass


@pytest.fixture
def burned():
    burn()


def test_unmarked():
    burn()


@pytest.mark.slow
def test_marked():
    burn()


def test_fixture(burned):
    pass


def test_waiting():
    time.sleep(0.4)


def test_failing():
    burn()
    assert 1 == 2
"""


@pytest.mark.slow
def test_a_slow_test_without_the_mark_fails_and_only_that(tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow: x\n")
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert "s of processor time without @pytest.mark.slow" in done.stdout
    assert "FAILED" in done.stdout
    failed = {line.partition("::")[2].split()[0] for line in done.stdout.splitlines() if line.startswith("FAILED")}
    assert failed == {"test_unmarked", "test_failing"}
    assert "assert 1 == 2" in done.stdout
