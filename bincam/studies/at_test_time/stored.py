"""The stored comparison of methods at test time, in the folder of the zoom study whose images it is of."""

from __future__ import annotations

from typing import Any

from bincam.errors import InputError
from bincam.studies.folder import SUMMARY, StudyFolder

NAME = "test-time"


def read_compared(zoom: StudyFolder) -> dict[str, Any] | None:
    """Read the summary of the methods at test time of a zoom study.

    Args:
        zoom: The zoom study.

    Returns:
        The summary, see ``run_test_time``; None where nothing was compared, the comparison is unfinished or damaged, or
        it rests on other measurements than the study.
    """
    folder = zoom.folder / NAME
    if not (folder / SUMMARY).is_file():
        return None
    try:
        study = StudyFolder.open(folder, NAME)
        study.check_rests_on(zoom.audit)
        return study.summary  # noqa: TRY300  # reading it may fail too
    except InputError:
        return None
