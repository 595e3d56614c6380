"""What is kept of some pairs: logits, masks and maps, as arrays in one file."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.studies.counterfactual.pair_maps import PairMaps

KIND, SCHEMA = "bincam-truth-pairs", 1


@dataclass(frozen=True)
class PairShard:
    """N pairs.

    Attributes:
        logits: ``(N, 3)``: z of the original, of the edited image, and of the original with the edited image's pixels
            inside of the mask alone.
        masks: ``(N, H, W)``, booleans, at the size that the model reads.
        maps: By kind of map.
    """

    logits: NDArray[np.float64]
    masks: NDArray[np.bool_]
    maps: dict[str, PairMaps]

    def write(self, file: Path) -> None:
        """Write to an ``.npz`` file, which states its kind."""
        complete = {spec: maps.complete for spec, maps in self.maps.items()}
        head = json.dumps({"kind": KIND, "schema": SCHEMA, "complete": complete})
        arrays: dict[str, Any] = {"head": np.array(head), "logits": self.logits, "masks": np.packbits(self.masks)}
        arrays["size"] = np.array(self.masks.shape)
        for number, maps in enumerate(self.maps.values()):
            arrays |= {f"before_{number}": maps.before, f"after_{number}": maps.after}
        np.savez_compressed(file, **arrays)

    @classmethod
    def read(cls, file: Path) -> PairShard:
        """Read a file that ``write`` wrote.

        Raises:
            InputError: It is damaged, or of another kind.
        """
        try:
            with np.load(file, allow_pickle=False) as stored:
                head = json.loads(str(stored["head"]))
                if (head["kind"], head["schema"]) != (KIND, SCHEMA):
                    raise InputError(f"{file}: {head['kind']} of schema {head['schema']}; expected {KIND} {SCHEMA}")
                shape = tuple(int(n) for n in stored["size"])
                masks = np.unpackbits(stored["masks"], count=int(np.prod(shape))).reshape(shape).astype(bool)
                maps = {
                    spec: PairMaps(stored[f"before_{number}"], stored[f"after_{number}"], bool(complete))
                    for number, (spec, complete) in enumerate(head["complete"].items())
                }
                return cls(stored["logits"], masks, maps)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise InputError(f"{file}: cannot be read ({error}); remove it, and resume the study") from None

    @classmethod
    def joined(cls, shards: Sequence[PairShard]) -> PairShard:
        """Join the shards of consecutive pairs."""
        return cls(
            np.concatenate([shard.logits for shard in shards]),
            np.concatenate([shard.masks for shard in shards]),
            {
                spec: PairMaps(
                    np.concatenate([shard.maps[spec].before for shard in shards]),
                    np.concatenate([shard.maps[spec].after for shard in shards]),
                    all(shard.maps[spec].complete for shard in shards),
                )
                for spec in shards[0].maps
            },
        )
