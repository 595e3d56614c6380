"""The zoom study: what a model says of each image at many scales and places, and what that is worth.

Public names are loaded on first use, so ``import bincam.studies.zoom`` costs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.studies.zoom.hard_set import HardSet as HardSet
    from bincam.studies.zoom.hard_set import write_hard_set as write_hard_set
    from bincam.studies.zoom.question import Question as Question
    from bincam.studies.zoom.seen import SeenViews as SeenViews
    from bincam.studies.zoom.seen import open_zoom as open_zoom
    from bincam.studies.zoom.subject import Subject as Subject
    from bincam.studies.zoom.view_pass import run_zoom as run_zoom

_NAMES = {
    "HardSet": "hard_set",
    "Question": "question",
    "SeenViews": "seen",
    "Subject": "subject",
    "open_zoom": "seen",
    "run_zoom": "view_pass",
    "write_hard_set": "hard_set",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
