"""Methods at test time on the images of a study: what they do to the errors of minority and majority.

Public names are loaded on first use, so ``import bincam.studies.at_test_time`` costs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.studies.at_test_time.comparison import Comparison as Comparison
    from bincam.studies.at_test_time.comparison import Paired as Paired
    from bincam.studies.at_test_time.comparison import compare_answers as compare_answers
    from bincam.studies.at_test_time.methods import METHODS as METHODS
    from bincam.studies.at_test_time.study import run_test_time as run_test_time
    from bincam.studies.at_test_time.wording import sentence as sentence

_NAMES = {
    "METHODS": "methods",
    "Comparison": "comparison",
    "Paired": "comparison",
    "compare_answers": "comparison",
    "run_test_time": "study",
    "sentence": "wording",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
