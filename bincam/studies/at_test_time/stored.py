"""The stored comparison of methods at test time, in the folder of the zoom study whose images it is of."""

from __future__ import annotations

from typing import Any

from bincam.studies.folder import StudyFolder
from bincam.studies.seal import SUMMARY

NAME = "test-time"


def read_compared(zoom: StudyFolder) -> dict[str, Any] | None:
    """Read the summary of the methods at test time of a zoom study.

    Args:
        zoom: The zoom study.

    Returns:
        The summary, see ``run_test_time``; None where nothing was compared, or the comparison is unfinished.

    Raises:
        InputError: It is damaged, or rests on other measurements than the study.
    """
    folder = zoom.folder / NAME
    if not (folder / SUMMARY).is_file():
        return None
    study = StudyFolder.open(folder, NAME)
    study.check_rests_on(zoom.audit)
    return study.summary
