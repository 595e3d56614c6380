"""A run's manifest: versions, revision, data and seed, from which the run follows."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from bincam import provenance
from bincam.models.card import KIND as MODEL_CARD
from bincam.train.configuration.config import TrainConfig
from bincam.train.runs.splits import Splits

KIND, SCHEMA = "bincam-train", 2
FILE = "manifest.json"


def revision() -> dict[str, Any] | None:
    """Return the commit of bincam's git repository and whether files differ from it; None outside a repository."""
    here = Path(__file__).parents[2]  # all of bincam

    def git(*arguments: str) -> str:
        return subprocess.run(  # noqa: S603  # fixed arguments
            ["git", *arguments],  # noqa: S607  # the user's git
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()

    try:
        if not git("ls-files", "--", "__init__.py"):  # installed inside somebody else's repository
            return None
        return {"commit": git("rev-parse", "HEAD"), "changed": bool(git("status", "--porcelain", "--", "."))}
    except (OSError, subprocess.SubprocessError):
        return None


def run_facts(config: TrainConfig, splits: Splits) -> dict[str, Any]:
    """Collect versions, revision, data and seed, which are known before the run starts."""
    return {
        "versions": provenance.versions("training"),
        "git": revision(),
        "data": data_facts(config, splits),
        "seed": config.seed,
    }


def data_facts(config: TrainConfig, splits: Splits) -> dict[str, Any]:
    """Describe the data: source, digest, number of images, attributes, and the data set's own card, if it has one."""
    source, images = Path(config.data.source), config.data.options.get("images")
    folders = (source, source.parent, *((Path(images), Path(images).parent) if images else ()))
    cards = (_json(folder / "card.json") for folder in folders if (folder / "card.json").is_file())
    tables = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    one_of = splits.train.one_of
    return {
        "source": config.data.source,
        "digest": splits.digest,
        "images": {name: len(table) for name, table in tables.items() if table is not None},
        "attributes": list(splits.train.names),
        **({"one_of": {name: list(members) for name, members in one_of.items()}} if one_of else {}),
        "card": next((card for card in cards if isinstance(card, dict) and card.get("kind") != MODEL_CARD), None),
    }


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
