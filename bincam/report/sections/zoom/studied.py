"""The zoom study of an audit as the page reads it, or the reason why it is not shown."""

from __future__ import annotations

from bincam.audit.folder.audit import Audit
from bincam.errors import InputError
from bincam.studies.at_test_time.stored import read_compared
from bincam.studies.folder import study_folder
from bincam.studies.seal import STUDY
from bincam.studies.zoom.seen import NAME, SeenViews, open_zoom


def find_zoom(audit: Audit) -> SeenViews | None:
    """Open the finished zoom study of an audit; None where there is none.

    Raises:
        InputError: It is unfinished, damaged, or rests on other measurements than the audit's.
    """
    folder = study_folder(audit, NAME)
    return open_zoom(folder, audit=audit) if (folder / STUDY).is_file() else None


def zoom_note(audit: Audit) -> str:
    """Say why a study or its comparison at test time is not shown; empty where it is shown, or there is none."""
    try:
        seen = find_zoom(audit)
    except InputError as error:
        return f"The zoom study is not shown: {error}."
    try:
        if seen is not None:
            read_compared(seen.study)
    except InputError as error:
        return f"The comparison at test time is not shown: {error}."
    return ""
