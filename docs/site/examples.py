"""A griffe extension: sections called ``Example:`` are shown as ``Examples:``, the only name that griffe knows."""

from __future__ import annotations

import re
from typing import Any

import griffe


class ExampleSections(griffe.Extension):
    """Rename the sections, so that sessions are shown as code and not as nested quotations."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rename the section of one object's docstring."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^(\s*)Example:$", r"\1Examples:", obj.docstring.value, flags=re.M)
