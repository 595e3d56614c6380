"""Which sets and outputs two audits have in common, by name, and why others cannot be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bincam.data.matching import class_label
from bincam.one_of import Sets, set_of


@dataclass(frozen=True)
class Stated:
    """The outputs of one audit.

    Attributes:
        single: Its yes-or-no attributes.
        one_of: Its sets.
        called: Its model in a sentence.
    """

    single: Sequence[str]
    one_of: Sets
    called: str

    @property
    def outputs(self) -> list[str]:
        """Names of all outputs: the yes-or-no attributes, and those of the sets."""
        return [*self.single, *(output for members in self.one_of.values() for output in members)]


@dataclass(frozen=True)
class Common:
    """What two audits have in common.

    Attributes:
        attributes: Attributes that are yes-or-no in both, in the order of the first.
        sets: Name of a set of the first audit to the name of the same set in the second.
        order: The former to the places ``(K,)`` of its outputs in the second's set.
        outputs: Other outputs that both have: those which the one states in a set and the other as a yes-or-no
            attribute, or in a set that is no set of the first.
        left_out: Of each audit, its sets that the other has not, with the reason.
        alone: Of each audit, its outputs that the other has not; none of ``left_out`` that share no output.
    """

    attributes: tuple[str, ...]
    sets: Mapping[str, str] = field(default_factory=dict)
    order: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    left_out: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {})
    alone: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def to_json(self, *, sets: bool) -> dict[str, Any]:
        """Return what one audit alone has, as entries of ``contrast.json``; ``sets`` is True where there are sets."""
        entry: dict[str, Any] = {"only_in_first": list(self.alone[0]), "only_in_second": list(self.alone[1])}
        if sets:
            entry |= {"sets_only_in_first": dict(self.left_out[0]), "sets_only_in_second": dict(self.left_out[1])}
        return entry


def common_outputs(first: Stated, second: Stated) -> Common:
    """Match the outputs of two audits.

    Two sets are the same if they have the same outputs, in whatever order and under whatever name: sets of one model do
    not overlap, so that no other set has these outputs. Sets of the same name are also matched by the classes of their
    outputs, as data is (``White`` and ``race=White``).

    Example:
        >>> first = Stated(["Male"], {"hair": ("dark", "blond"), "age": ("young", "old")}, "model a")
        >>> second = Stated(["Male", "young", "old"], {"colour": ("blond", "dark")}, "model b")
        >>> common = common_outputs(first, second)
        >>> common.attributes, common.sets, common.order, common.outputs
        (('Male',), {'hair': 'colour'}, {'hair': (1, 0)}, ('young', 'old'))
        >>> common.left_out
        ({'age': 'model b states its outputs as yes-or-no attributes'}, {})
    """
    sets: dict[str, str] = {}
    order: dict[str, tuple[int, ...]] = {}
    for by_class in (False, True):
        for name, members in first.one_of.items():
            for other, others in second.one_of.items():
                if name in sets or other in sets.values() or (by_class and name != other):
                    continue
                wanted, found = (
                    [class_label(output, name) if by_class else output for output in of] for of in (members, others)
                )
                if set(wanted) == set(found) and len(set(wanted)) == len(wanted) == len(found):
                    sets[name], order[name] = other, tuple(found.index(output) for output in wanted)
    matched = {output for name in sets for output in first.one_of[name]}
    matched_second = {output for other in sets.values() for output in second.one_of[other]}
    attributes = tuple(name for name in first.single if name in set(second.single))
    shared = set(first.outputs) & set(second.outputs)
    rest = shared - matched - matched_second - set(attributes)
    left_out = (
        {name: _reason(name, members, second) for name, members in first.one_of.items() if name not in sets},
        {
            name: _reason(name, members, first)
            for name, members in second.one_of.items()
            if name not in set(sets.values())
        },
    )
    return Common(
        attributes=attributes,
        sets=sets,
        order=order,
        outputs=tuple(name for name in first.outputs if name in rest),
        left_out=left_out,
        alone=(
            _alone(first, shared | matched, left_out[0]),
            _alone(second, shared | matched_second, left_out[1]),
        ),
    )


def _reason(name: str, members: Sequence[str], other: Stated) -> str:
    """State why a set cannot be compared with any of the other audit."""
    single = [output for output in members if output in set(other.single)]
    if len(single) == len(members):
        return f"{other.called} states its outputs as yes-or-no attributes"
    if name in other.one_of:
        differing = sorted(set(members) ^ set(other.one_of[name]))
        return f"the set of this name of {other.called} has other outputs ({differing[0]!r} is in one only)"
    lacking = next((output for output in members if output not in set(other.outputs)), None)
    shared = [output for output in members if output in set(other.outputs)]
    if not shared:
        return f"{other.called} has neither this set nor any of its outputs"
    if lacking is not None:
        return f"{other.called} has no set of these outputs; it lacks {lacking!r}"
    owner = next(owner for output in shared if (owner := set_of(output, other.one_of)) is not None)
    return f"{other.called} has no set of these outputs; its set {owner!r} has some of them"


def _alone(audit: Stated, shared: set[str], left_out: Mapping[str, str]) -> tuple[str, ...]:
    apart = {
        output for name in left_out for output in audit.one_of[name] if shared.isdisjoint(audit.one_of[name])
    }  # named by their set
    return tuple(output for output in audit.outputs if output not in shared and output not in apart)
