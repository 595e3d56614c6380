"""What keeps a page open to everybody, as far as its HTML and its colours tell: a check without a browser.

Each is a kind of fault that axe-core knows; it also looks at what only a browser can tell, in ``test_browser``.
"""

import re
from collections import Counter
from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Node:
    """An element: its tag, attributes, children, and texts."""

    def __init__(self, tag, attributes, parent=None):
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children, self.texts = [], []

    def __iter__(self):
        yield self
        for child in self.children:
            yield from child

    def get(self, name):
        return self.attributes.get(name) or ""

    @property
    def text(self):
        """All text within, and alternatives of pictures; nothing of what is hidden from readers of the screen."""
        if self.get("aria-hidden") == "true":
            return ""
        own = " ".join([*self.texts, self.get("alt"), self.get("aria-label")])
        return " ".join([own, *(child.text for child in self.children)]).strip()

    def within(self, tag):
        at = self.parent
        while at is not None and at.tag != tag:
            at = at.parent
        return at

    @property
    def hidden(self):
        return "hidden" in self.attributes or (self.parent is not None and self.parent.hidden)


class Tree(HTMLParser):
    """The elements of a page; a tag that is not closed where it should be fails."""

    def __init__(self, html):
        super().__init__()
        self.root = self.at = Node("", {})
        self.feed(html)
        assert self.at is self.root, f"<{self.at.tag}> is not closed"

    def handle_starttag(self, tag, attrs):
        node = Node(tag, dict(attrs), self.at)
        self.at.children.append(node)
        if tag not in VOID:
            self.at = node

    def handle_startendtag(self, tag, attrs):
        self.at.children.append(Node(tag, dict(attrs), self.at))

    def handle_endtag(self, tag):
        assert self.at.tag == tag, f"</{tag}> closes <{self.at.tag}>"
        self.at = self.at.parent

    def handle_data(self, data):
        self.at.texts.append(data)


def faults(html):
    """List the faults of a page; an empty list is what is wanted."""
    every = [node for node in Tree(html).root if node.within("svg") is None]
    return [*of_structure(every), *of_names(every), *of_tables(every), *of_references(every)]


def of_structure(every):
    """One main part, one first heading, no level of headings left out, and landmarks that can be told apart."""
    for tag in ("main", "h1", "nav"):
        if (count := sum(node.tag == tag for node in every)) != 1:
            yield f"{count} <{tag}>"
    if not any(node.tag == "html" and node.get("lang") for node in every):
        yield "no language"
    if not any(node.tag == "title" and node.text for node in every):
        yield "no title"
    level = 0
    for node in every:
        here = int(node.get("aria-level") or 0) if node.get("role") == "heading" else 0
        here = int(node.tag[1]) if re.fullmatch("h[1-6]", node.tag) else here
        if here and not node.hidden:
            if here > level + 1:
                yield f"heading of level {here} after level {level}: {node.text}"
            level = here
    ids = {node.get("id"): node for node in every if node.get("id")}
    landmarks = [node for node in every if node.tag in ("section", "aside", "form", "nav") and not node.hidden]
    names = Counter()
    for node in landmarks:
        by = [ids[one].text for one in node.get("aria-labelledby").split() if one in ids]
        names[node.get("role") or node.tag, node.get("aria-label") or " ".join(by)] += 1
    yield from (f"{count} landmarks {name}" for name, count in names.items() if count > 1)
    yield from (f"a landmark without a name: {name}" for name in names if not name[1])


def of_names(every):
    """Pictures, links, buttons and fields have a name, and what scrolls can be reached by keyboard."""
    for node in every:
        if node.tag == "img" and not node.get("alt"):
            yield f"a picture without alternative: {node.attributes}"
        if node.tag in ("a", "button", "summary") and not node.text:
            yield f"<{node.tag}> without a name: {node.attributes}"
        if node.tag in ("a", "button", "input", "select") and node.within("summary") is not None:
            yield f"<{node.tag}> within what folds: {node.attributes}"
        if node.tag in ("input", "select") and node.within("label") is None and not node.get("aria-label"):
            yield f"a field without a label: {node.attributes}"
        if node.tag == "svg" and "plot" in node.get("class") and not (node.get("aria-label") and node.get("role")):
            yield f"a figure without a name: {node.attributes}"
        if "scroll" in node.get("class").split() and not (node.get("tabindex") == "0" and node.get("aria-label")):
            yield f"scrolls, but cannot be reached: {node.attributes}"


def of_tables(every):
    """Every head of a table says what it is the head of, no head is empty, and every table has a caption."""
    for node in every:
        if node.tag == "th" and node.get("scope") not in ("col", "row", "colgroup", "rowgroup"):
            yield f"a head without scope: {node.text}"
        if node.tag == "th" and not node.text:
            yield f"an empty head: {node.attributes}"
        if node.tag == "table" and not any(child.tag == "caption" for child in node.children):
            yield f"a table without a caption: {node.attributes}"


def of_references(every):
    """Ids occur once, and what refers to one finds it."""
    ids = Counter(node.get("id") for node in every if node.get("id"))
    yield from (f"id {name!r} {count} times" for name, count in ids.items() if count > 1)
    for node in every:
        for name in (*node.get("aria-labelledby").split(), *node.get("aria-describedby").split()):
            if name not in ids:
                yield f"refers to {name!r}, which is not there"
        target = node.get("href") if node.tag == "a" else ""
        if target.startswith("#") and len(target) > 1 and target[1:] not in ids:
            yield f"leads to {target!r}, which is not there"


def themes(css):
    """The colours of the light, the dark and the printed page, by name."""
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    light, dark, printed = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+)", block)) for block in blocks)
    return {"light": light, "dark": light | dark, "print": light | printed}


def contrast(one, other):
    """The contrast of two colours such as ``#1b1c1f`` (WCAG 2)."""
    bright, faint = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (faint + 0.05)


def _luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
