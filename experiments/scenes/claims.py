"""The claims of the sources, and what decides whether they hold here.

What could be read of arXiv 2606.14555 is its abstract and what repeats it, so its claims have no figures. Of arXiv
1512.04150 only the direction of a comparison is taken: its figures are of ImageNet, with other networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from experiments.scenes.over_seeds import OPEN, Result, at, seeds, shown, verdict

MIL, CAM, OURS = "arXiv 2606.14555", "arXiv 1512.04150", "*ours*"


@dataclass(frozen=True)
class Claim:
    """A claim, and how it is judged.

    Attributes:
        text: The claim.
        published: Where, and what.
        found: Label to path of the figures that are shown.
        criterion: In words.
        holds: Whether one seed meets it.
    """

    text: str
    published: str
    found: Mapping[str, str]
    criterion: str
    holds: Callable[[Result], bool]

    def row(self, results: Sequence[Result]) -> list[str]:
        """Make the table's row."""
        here = "; ".join(f"{label} {shown(at(r, path) for r in results)}" for label, path in self.found.items())
        stated = [here if results else OPEN, seeds(results), self.criterion, verdict([self.holds(r) for r in results])]
        return [self.text, self.published, *stated]


HEAD = ("claim", "published", "here, mean [range over seeds]", "seeds", "criterion", "verdict")


def above(path: str, other: str | float, margin: float = 0.0) -> Callable[[Result], bool]:
    """Return whether a figure exceeds another one, or a number; of estimates, the ends of their intervals."""

    def judge(result: Result) -> bool:
        low = at(result, path)
        high = other if isinstance(other, float) else at(result, other)
        return low is not None and high is not None and low > high + margin

    return judge


def both(*conditions: Callable[[Result], bool]) -> Callable[[Result], bool]:
    """Return whether all conditions are met."""
    return lambda result: all(condition(result) for condition in conditions)


C = "cells/"
SINGLE = (
    Claim(
        "A classifier trained with one label per image learns the task of scenes with several objects",
        f"{MIL}: yes; no figure in the part that could be read",
        {
            "top-1 is present in": C + "top_1_present",
            "is right, expected over labels": C + "top_1_expected",
            "ceiling": C + "top_1_ceiling",
        },
        "top-1 is present in over .9",
        above(C + "top_1_present", 0.9),
    ),
    Claim(
        "Its cells recover shapes that the image's answer is not",
        f"{MIL}: evidence remains recoverable where the image's prediction is incorrect",
        {
            "recovery": C + "recovery_of_errors",
            "less chance": C + "recoverable",
            "an absent shape": C + "absent_alarm",
        },
        "intervals: less chance above 0, and above an absent shape's",
        both(above(C + "recoverable/low", 0.0), above(C + "recovery_of_errors/low", C + "absent_alarm/high")),
    ),
    Claim(
        "All shapes are ranked, though each image had one label",
        OURS,
        {
            "mAP of the image": C + "map_of_image",
            "of its best cell": C + "map_of_best_cell",
            "chance": C + "map_by_chance",
        },
        "mAP of the image over .9",
        above(C + "map_of_image", 0.9),
    ),
    Claim(
        "Cells on an object score higher than others",
        f"{MIL}: cells of the foreground name the class",
        {
            "AUROC": C + "auroc_covered",
            "less the null": C + "auroc_over_null_covered",
            "of objects smaller than a cell": C + "auroc_fallback",
            "share of these": C + "fallback",
        },
        "interval of AUROC less the null above 0",
        above(C + "auroc_over_null_covered/low", 0.0),
    ),
)
SMALLER, LIKE_TRAINING = "sweep/1/", "sweep/3/"
DILUTION = (
    Claim(
        "A mean loses objects that are smaller than in training",
        f"{MIL}: failures reflect known limitations of mean aggregation",
        {
            "misses at side .14": SMALLER + "poolings/own/miss",
            "at .23": LIKE_TRAINING + "poolings/own/miss",
        },
        "intervals: more at .14",
        above(SMALLER + "poolings/own/miss/low", LIKE_TRAINING + "poolings/own/miss/high"),
    ),
    Claim(
        "The evidence of what is missed is still in the cells",
        f"{MIL}: evidence remains recoverable where the image's prediction is incorrect",
        {
            "recovery of misses at side .14": SMALLER + "cells/recovery_of_errors",
            "less chance": SMALLER + "cells/recoverable",
            "false alarm": SMALLER + "cells/false_alarm",
        },
        "intervals: less chance above 0, and above the false alarm",
        both(
            above(SMALLER + "cells/recoverable/low", 0.0),
            above(SMALLER + "cells/recovery_of_errors/low", SMALLER + "cells/false_alarm/high"),
        ),
    ),
    Claim(
        "So the best 10 % of the same cells, not trained for, rank smaller objects better than the mean",
        OURS,
        {"mAP at side .14, mean": SMALLER + "poolings/mean/map", "best 10 %": SMALLER + "poolings/top_10/map"},
        "mAP higher by .05",
        above(SMALLER + "poolings/top_10/map", SMALLER + "poolings/mean/map", 0.05),
    ),
)
PHOTOGRAPHS = (
    Claim(
        "An off-the-shelf network's cells recover the class within the object",
        f"{MIL}: consistently",
        {"recovery": "recovery", "chance": "chance", "a wrong label": "wrong_label"},
        "interval above those of chance and of a wrong label",
        both(above("recovery/low", "chance/high"), above("recovery/low", "wrong_label/high")),
    ),
    Claim(
        "Also where the image's answer is another",
        f"{MIL}: yes",
        {
            "recovery": "recovery_where_not_answered",
            "chance": "chance_where_not_answered",
            "a wrong label": "wrong_label_where_not_answered",
        },
        "interval above those of chance and of a wrong label",
        both(
            above("recovery_where_not_answered/low", "chance_where_not_answered/high"),
            above("recovery_where_not_answered/low", "wrong_label_where_not_answered/high"),
        ),
    ),
)
BOXES = (
    Claim(
        "GAP's boxes beat a constant box",
        OURS,
        {"τ = .2 less the constant box": "boxes/evidence/over_constant"},
        "interval above 0",
        above("boxes/evidence/over_constant/low", 0.0),
    ),
    Claim(
        "A cut at 20 % of the maximum suits",
        f"{CAM}, 3.2: used there",
        {
            "IoU of .5 at τ = .2": "boxes/evidence/known/fixed",
            "at τ of validation": "boxes/evidence/known/chosen",
            "which is": "boxes/evidence/known/chosen_level",
        },
        "at most .05 below τ of validation",
        above("boxes/evidence/known/fixed/value", "boxes/evidence/known/chosen/value", -0.05),
    ),
)
M = "cues/mark:star/"
NOTHING = (
    Claim(
        "A mark that tells nothing gets no evidence (strength .5)",
        OURS,
        {"share of the evidence on the mark": M + "energy on mark, cue", "its area": M + "area on mark, cue"},
        "interval of the share not above its area by .05",
        lambda result: not above(M + "energy on mark, cue/low", M + "area on mark, cue/high", 0.05)(result),
    ),
)
SHORTCUT = (
    Claim(
        "A network that was trained with a shortcut says yes without the object",
        OURS,
        {
            "yes without the star, with the mark": M + "yes/no shape, cue",
            "without both": M + "yes/no shape, no cue",
        },
        "intervals: more with the mark",
        above(M + "yes/no shape, cue/low", M + "yes/no shape, no cue/high"),
    ),
    Claim(
        "Its maps show the shortcut",
        OURS,
        {
            "share of the evidence on the mark": M + "energy on mark, cue",
            "its area": M + "area on mark, cue",
            "near it, within what a cell sees": M + "energy on near, cue",
            "area of that": M + "area on near, cue",
            "on the star": M + "energy on object, cue",
        },
        "interval of the share above the mark's area",
        above(M + "energy on mark, cue/low", M + "area on mark, cue/high"),
    ),
)
