"""What hostile inputs are made of: names, cells, numbers as text, nested values, and damaged files."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

ODD_NAMES = (
    *(
        "",
        " ",
        "a" * 300,
        "é",
        "a b",
        "a,b",
        'a"b',
        "a=b",
        "c.d",
        "x@y",
        "Age<30",
        "[/]",
        "[red]",
        "[link=x]y",
        "\\[b]",
    ),
    *("=1+1", "+1", "-1", "@SUM(A1)", "|", "<b>x</b>", "a\nb", "a\tb", "\x07", "a\x00b", "\u2028", "\ufffe", "🙂"),
    *("..", "/", "../x", "null", "yes", "1e5", "{{x}}", "${x}", "%s", "all", "overall", "image"),
)
names = st.one_of(st.sampled_from(ODD_NAMES), st.text(max_size=8))

ODD_CELLS = ("0", "1", "-1", "", " 1 ", "1.0", "0.0", "true", "False", "nan", "NaN", "inf", "1e400", "2", "x", "1,5")
cells = st.one_of(st.sampled_from(("0", "1")), st.sampled_from(ODD_CELLS), st.text(max_size=4))

ODD_NUMBERS = (
    *("0", "1", "-1", "-0", "0.5", "1.5", "2", "1e400", "-1e400", "nan", "inf", "-inf", "1_0", "٣", " 1", "", "x"),
    *("0x10", "1e-400", str(2**31), str(2**63), str(2**64), str(-(2**63)), "9" * 30, "1" * 5000),
)
numbers_as_text = st.sampled_from(ODD_NUMBERS)

ODD_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2**31,
        2**63,
        2**64,
        10**30,
        10**400,
        0.5,
        -0.5,
        1e300,
        "",
        "x",
        "[/]",
        "a\nb",
        [],
        {},
    ),
    *([None], [1, "x"], {"x": 1}, [[]], {"": None}, [1e300], "1", ["x"], [1, 2], [0.5, 0.5, 0.5], {"x": [1, 2]}),
)
scalars = st.one_of(st.sampled_from(ODD_VALUES), st.integers(-5, 5), st.floats(), names)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=5,
)


@st.composite
def damaged(draw: Any, whole: bytes) -> bytes:
    """Bytes of a whole file, cut, with some exchanged, repeated, or followed by others."""
    data = bytearray(whole)
    for kind in draw(st.lists(st.sampled_from(("cut", "byte", "insert", "double", "zeros", "none")), max_size=3)):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        if kind == "cut":
            del data[at:]
        elif kind == "byte" and data:
            data[at] = draw(st.integers(0, 255))
        elif kind == "insert":
            data[at:at] = draw(st.binary(max_size=6))
        elif kind == "double":
            data += data[at : at + 50]
        elif kind == "zeros":
            data[at : at + 8] = bytes(len(data[at : at + 8]))
    return bytes(data)


@st.composite
def changed(draw: Any, whole: Any) -> Any:
    """A nested value in which one value at any depth was replaced, removed or renamed."""
    if not isinstance(whole, (dict, list)) or not whole or draw(st.integers(0, 3)) == 0:
        return draw(values)
    copy = dict(whole) if isinstance(whole, dict) else list(whole)
    key = draw(st.sampled_from(list(copy) if isinstance(copy, dict) else list(range(len(copy)))))
    act = draw(st.sampled_from(("deeper", "deeper", "deeper", "remove", "rename", "add")))
    if act == "remove":
        del copy[key]
    elif act == "rename" and isinstance(copy, dict):
        copy[draw(names)] = copy.pop(key)
    elif act == "add":
        if isinstance(copy, dict):
            copy[draw(names)] = draw(values)
        else:
            copy.append(draw(values))
    else:
        copy[key] = draw(changed(copy[key]))
    return copy
