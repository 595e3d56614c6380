"""Names of the files in an audit's folder, and the kinds that they state."""

from __future__ import annotations

import re
from pathlib import Path

MANIFEST, SUMMARY, IMAGES = "manifest.json", "summary.json", "images.parquet"
UNMEASURED, LEAKAGE, SAMPLE = "unmeasured.json", "leakage.json", "sample.json"
UNMEASURED_KIND, LEAKAGE_KIND, SAMPLE_KIND = "bincam-unmeasured", "bincam-leakage", "bincam-sample"
FORMER_UNMEASURED, FORMER_UNMEASURED_KIND = "findings.json", "bincam-findings"
"""The file and kind of ``unmeasured.json`` in older audits, which are still read."""
DIGESTS, DIGESTS_KIND = "digests.json", "bincam-digests"
SPECIFICITY, SPECIFICITY_KIND = "specificity.json", "bincam-specificity"
PART_SCHEMA = 1
RELABEL = "relabel.csv"
VARIATION = "references/variation.safetensors"
MEANS, REGIONS, MEAN_IMAGE = "maps/means.safetensors", "maps/regions.safetensors", "maps/mean_image.png"


def part_file(folder: Path, room: str, number: int, suffix: str) -> Path:
    """Return the path of a shard's file in a subfolder, such as ``records/part-00007.parquet``."""
    return folder / room / f"part-{number:05d}{suffix}"


def records_file(folder: Path, number: int) -> Path:
    """Return the path of a shard's records."""
    return part_file(folder, "records", number, ".parquet")


def maps_file(folder: Path, method: str, number: int) -> Path:
    """Return the path of a shard's maps of one method."""
    return part_file(folder, f"maps/{method_folder(method)}", number, ".npy")


def method_folder(method: str) -> str:
    """Turn a method's spec into a folder's name: characters that a file system may refuse become ``-``."""
    return re.sub(r"[^A-Za-z0-9_.@+-]", "-", method)
