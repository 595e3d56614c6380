"""The records of two audits, read at once or, of very many images, as they are needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bincam.audit.folder.parts.sampled import is_long
from bincam.compare.paired_audits import pair_audits
from bincam.compare.pairs.coded import Shared, coded_answers
from bincam.compare.pairs.matched import adjusted_thresholds, match_audits
from bincam.compare.pairs.paired import Paired
from bincam.compare.pairs.streamed import StreamedPair

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit


def pair_records(
    first: Audit, second: Audit, moved: Mapping[str, float] | None = None, moved_from: str = "given"
) -> Paired:
    """Align the records of two audits, all images of them; arguments and errors are those of ``pair_audits``.

    Of long audits, sets of outputs and single outputs alone are those of a sample of the images.
    """
    if not is_long(first):
        return pair_audits(first, second, moved, moved_from)
    matched = match_audits(first, second)
    common, names = matched.common, matched.common.attributes
    thresholds, source = adjusted_thresholds(first, names, moved, moved_from)
    shared = Shared.of(first, second)
    codes, audited = np.zeros((0, len(shared.rows)), np.int8), np.zeros(0, np.float32)
    if names:
        codes, audited = coded_answers(shared, names, thresholds)
    sample = pair_audits(first, second, moved, moved_from) if common.sets or common.outputs else None
    return StreamedPair(
        shared=shared,
        attributes=names,
        minority=np.array([first.minority(name) for name in names], np.int64),
        columns=matched.columns,
        methods=matched.methods,
        codes=codes,
        audited=audited,
        moved=thresholds,
        moved_from=source,
        common=common,
        sets=sample.sets if sample else (),
        outputs=sample.outputs if sample else (),
        set_images=sample.looked_at if sample else 0,
    )
