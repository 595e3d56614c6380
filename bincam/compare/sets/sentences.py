"""The contrast of two models on sets of outputs in sentences: a paragraph per set and output, findings, and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bincam.compare.names import Names
from bincam.compare.sets.differences import ContrastedSets
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import counted, listed, p_stated, stated
from bincam.stats.hypotheses.families import undecided

Figures = Mapping[str, Any]

OF_SETS = {
    "accuracy": "The accuracy",
    "minority_error": "The minority error",
    "majority_error": "The majority error",
}
"""Rates of a set that are compared in words."""
OF_OUTPUTS = {"fnr": "The miss rate", "fpr": "The false alarm rate"}

MOST_NAMED = 5
"""Outputs that a note names; of more it states the number."""


def set_sentences(contrasted: ContrastedSets, columns: Sequence[str], names: Names) -> dict[str, list[str]]:
    """Write the comparison of every set and single output in words.

    Args:
        contrasted: The comparison.
        columns: Names of the columns of the first and of the second model.
        names: Names of the models.

    Returns:
        Name of a set, or of an output that is compared one by one, to its sentences.
    """
    tests = sum(family["size"] for family in contrasted.families)
    result = {}
    for name, entry in contrasted.sets.items():
        other = entry.get("name_in_second")
        about = [] if other is None else [f"{_capital(names.of_second)} calls this set {other!r}."]
        result[name] = [*_rates(entry, OF_SETS, columns, names, tests), *about]
    for name, entry in contrasted.outputs.items():
        how = [
            f"{called} {'as a yes-or-no attribute' if of_set is None else f'in set {of_set!r}'}"
            for called, of_set in zip((names.of_first, names.of_second), entry["sets"].values(), strict=True)
        ]
        result[name] = [*_rates(entry, OF_OUTPUTS, columns, names, tests), f"It is stated by {listed(how)}."]
    return result


def _rates(entry: Figures, texts: Mapping[str, str], columns: Sequence[str], names: Names, tests: int) -> list[str]:
    sentences = []
    for rate, text in texts.items():
        first, second = (Estimate.from_json(entry["rates"][rate][column]) for column in columns)
        if not (first.defined and second.defined):
            continue
        compared = entry["differences"][rate]
        difference = stated(Estimate.from_json(compared["difference"]), "points")
        holm = compared.get("holm")
        p = f", {p_stated(holm)} ({correction(tests)})" if holm is not None else ""
        sentences.append(
            f"{text} is {stated(first, 'percent')} for {names.of_first} and {stated(second, 'percent')} for "
            f"{names.of_second}: a difference of {difference}{p}."
        )
    return sentences


def correction(tests: int) -> str:
    """State the test of sets and the size of the family that its p-values are corrected for.

    >>> correction(1), correction(12)
    ('McNemar, Holm-corrected for 1 test on sets', 'McNemar, Holm-corrected for 12 tests on sets')
    """
    return f"McNemar, Holm-corrected for {counted(tests, 'test')} on sets"


def set_findings(contrasted: ContrastedSets, sentences: Mapping[str, Sequence[str]], limit: int = 5) -> list[str]:
    """Select the differences on sets that remain after Holm's correction, those with the smallest p first.

    Args:
        contrasted: The comparison.
        sentences: Of ``set_sentences``.
        limit: Greatest number of findings.

    Returns:
        Sentences; if there is no finding, a single one that states this.
    """
    result: list[str] = []
    for family in contrasted.families:
        found = sorted((test for test in family["tests"] if test["finding"]), key=lambda test: float(test["p"]))
        for test in found[:limit]:
            name, text = test["attribute"], {**OF_SETS, **OF_OUTPUTS}[test["measure"]]
            written = next((sentence for sentence in sentences[name] if sentence.startswith(text)), None)
            result += [f"{name}: {written}"] if written else []
        if not found:
            missed = undecided(family["tests"], "points")
            result.append(
                f"On sets of outputs, none of {counted(family['size'], 'tested difference')} between the models "
                f"remains after Holm's correction{f'; {missed}' if missed else ''}."
            )
    return result


def left_out(document: Figures, names: Names) -> list[str]:
    """Note the sets that are not compared, each with the reason, and the outputs that are compared one by one.

    Args:
        document: Content of ``contrast.json``.
        names: Names of the models.

    Example:
        >>> document = {"sets_only_in_first": {"age": "model b has neither this set nor any of its outputs"}}
        >>> left_out(document, Names("a", "b"))
        ["set 'age' of model a is not compared: model b has neither this set nor any of its outputs"]
    """
    notes = [
        f"set {name!r} of {called} is not compared: {reason}"
        for side, called in (("first", names.of_first), ("second", names.of_second))
        for name, reason in (document.get(f"sets_only_in_{side}") or {}).items()
    ]
    single = list(document.get("outputs") or ())
    if single:
        named = f", {listed(single)}," if len(single) <= MOST_NAMED else ""
        notes.append(
            f"{counted(len(single), 'output')} that both models have but state differently{named} "
            f"{'is' if len(single) == 1 else 'are'} compared one by one: yes, of a set, is that it is predicted"
        )
    return notes


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"
