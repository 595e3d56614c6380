"""How high is the own share of a head that knows nothing? Three nulls beside the trained head's: ``null.json``.

    PYTHONPATH=. OMP_NUM_THREADS=1 python -m experiments.truth.own_maps.null_heads

``mixtures`` is the null of bincam: rows with the mean and covariance of the head's rows, which are mixtures of the
head's own maps. The covariance of A rows spans A - 1 directions of the feature space. ``shrunk`` draws rows with that
covariance shrunk towards a multiple of the identity (Ledoit and Wolf 2004), so that all directions of the features
occur, and ``permuted`` permutes the entries of every row. Both need the features, which an audit does not store.
"""

from __future__ import annotations

import argparse
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bincam.cam import Explainer
from bincam.files import read_json, write_json
from bincam.metrics.specificity.unexplained import own_share
from bincam.stats.clusters import Clusters
from experiments.truth.own_maps.campaign import SEEDS, WORLDS, Job
from experiments.truth.own_maps.run import HERE
from experiments.truth.own_maps.worlds import World, open_world

FILE = HERE / "null.json"
KIND, SCHEMA, DRAWS = "bincam-experiment-own-share-null", 1, 5


def features_of(world: World) -> NDArray[np.float64]:
    """Return the tensor that the head pools, ``(N, C, h, w)``."""
    kept: list[torch.Tensor] = []
    layer = Explainer(world.model).anatomy((world.images.shape[2], world.images.shape[3])).layer.name
    hook = world.model.get_submodule(layer).register_forward_hook(lambda *called: kept.append(called[2].detach()))
    try:
        with torch.no_grad():
            for at in range(0, len(world.images), 50):
                world.model(world.images[at : at + 50])
    finally:
        hook.remove()
    return torch.cat(kept).double().numpy()


def heads(rows: NDArray[np.float64], kind: str, random: np.random.Generator) -> NDArray[np.float64]:
    """Draw a head ``(A, C)`` from another's rows."""
    if kind == "permuted":
        return random.permuted(rows, axis=1)
    from sklearn.covariance import LedoitWolf

    covariance = LedoitWolf().fit(rows).covariance_
    return random.multivariate_normal(rows.mean(0), covariance, size=len(rows), method="cholesky")


def measure(world: World) -> dict[str, Any]:
    """Compute the mean own share of the trained head and of each null."""
    features, people = features_of(world), Clusters.of(world.people)
    rows = world.model.network.head.weight.detach().double().numpy()
    rows = rows.reshape(len(rows), -1)

    def share(head: NDArray[np.float64]) -> Any:
        return own_share(np.einsum("ac,nchw->nahw", head, features, optimize=True), people)

    trained = share(rows)
    found: dict[str, Any] = {
        "attributes": len(rows),
        "channels": rows.shape[1],
        "trained": float(np.nanmean(trained.value)),
        "trained_range": [float(v) for v in np.nanquantile(trained.value, (0.1, 0.9))],
        "mixtures": trained.null,
    }
    for kind in ("shrunk", "permuted"):
        drawn = [np.nanmean(share(heads(rows, kind, np.random.default_rng(draw))).value) for draw in range(DRAWS)]
        found[kind] = float(np.mean(drawn))
        found[f"{kind}_range"] = [float(min(drawn)), float(max(drawn))]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "bincam-own-maps")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="names of networks, with * and ?")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sample = Job("", 0, "", "")
    networks: dict[str, Any] = {}
    if FILE.is_file():
        networks = read_json(FILE, kind=KIND, schema=SCHEMA)["networks"]
    for world, seed in [(world, seed) for seed in SEEDS for world in WORLDS]:
        name = f"{world}-seed{seed}"
        if name not in networks and fnmatch(name, options.only):
            networks[name] = measure(open_world(world, seed, options.work, sample.images, sample.fitted))
            write_json(FILE, {"kind": KIND, "schema": SCHEMA, "draws": DRAWS, "networks": networks})
            print(f"{name}: done", flush=True)


if __name__ == "__main__":
    main()
