"""Definitions of the page's conclusions, for its list of definitions."""

from __future__ import annotations

from bincam.report.conclusions.frequencies import frequency
from bincam.report.view.parts import Definition


def definitions(tolerated: float) -> list[Definition]:
    """Define the verdict, the actions and the sanity test.

    Args:
        tolerated: The error of a class that is tolerated.
    """
    return [
        Definition(
            "Verdict",
            "Made by rules from the figures beneath each sentence, never written freely. A difference is stated only "
            "if its whole interval is on one side of 0. Means are over the attributes whose classes both have enough "
            "images and people, each with the same weight; cases are images. A moved threshold does the same if it "
            "leaves less than half of what the other model gains, with an interval that contains 0, and costs no more.",
        ),
        Definition(
            "What to do",
            "The first of these that applies. Too few images: no class is certain to err in more than "
            f"{frequency(tolerated)} cases, but one has too few images or people, or an interval that reaches above. "
            "For a class that is certain to: move the threshold, if one tuned on other images brings it down without "
            "harming the other class, or if some threshold of these images would (which is optimistic); else retrain "
            "or collect. Then: looks elsewhere than expected; do not rely on its maps; fine. What a threshold gains on "
            "the reference split is judged on people whom it was not chosen on. Of two models the one that is nearer "
            "to fine is taken, and of equals the one that is better in a class and worse in none. Numbers of people "
            "are projections: they suppose people like those audited, and an error that stays what it is.",
        ),
        Definition(
            "Sanity test",
            "The model-parameter randomisation test: maps that look the same for a network of random parameters say "
            "nothing about the trained one. What is made of the maps of a method that did not pass is marked.",
        ),
    ]
