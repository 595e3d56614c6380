"""The refusal of outputs that exclude one another, which an audit cannot measure yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bincam.errors import UnsupportedError
from bincam.one_of import set_of


def refuse_sets(attributes: Sequence[str], one_of: Mapping[str, Sequence[str]], what: str) -> None:
    """Refuse audited outputs that are in sets, whose decision is no comparison with a threshold.

    Args:
        attributes: Names of the audited outputs.
        one_of: The sets of the model's card.
        what: What is asked for, at the start of the message.

    Raises:
        UnsupportedError: An output is in a set.
    """
    name = next((name for name in attributes if set_of(name, one_of)), None)
    if name is not None:
        raise UnsupportedError(
            f"{what} of {name!r} of set {set_of(name, one_of)!r} is not supported yet: of a set exactly one output is "
            "true, and errors of yes-or-no attributes do not apply; 'bincam explain' and Explainer take such outputs, "
            "and yes-or-no attributes alone can be audited (--attributes)"
        )
