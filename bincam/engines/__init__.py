"""Engines: who carries out work that is divided into numbered parts, this process or many on many machines.

Public names are loaded on first use, so ``import bincam.engines`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.lazy import lazily

if TYPE_CHECKING:
    from bincam.engines.engine import Crew as Crew
    from bincam.engines.engine import Engine as Engine
    from bincam.engines.engine import Recipe as Recipe
    from bincam.engines.engine import Work as Work
    from bincam.engines.process_engine import ProcessEngine as ProcessEngine
    from bincam.engines.process_engine import faster_engine as faster_engine
    from bincam.engines.ray_engine import RayEngine as RayEngine

_NAMES = {
    "Crew": "engine",
    "Engine": "engine",
    "ProcessEngine": "process_engine",
    "RayEngine": "ray_engine",
    "Recipe": "engine",
    "Work": "engine",
    "faster_engine": "process_engine",
}
__all__ = [*_NAMES]  # noqa: PLE0604  # every entry is a string
__getattr__, __dir__ = lazily(__name__, _NAMES)
