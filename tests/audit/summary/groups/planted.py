"""Records with known error rates in known groups."""

import numpy as np

from bincam.audit.summary.groups.divisions import Slicing
from bincam.audit.summary.panel import Panel
from bincam.stats.clusters import Clusters


def panel(fnr, images, *, attributes=("Bald",), shares=None, per_person=1, seed=0):
    """Half of the images are positive; the first attribute is missed at the rate of the image's group, others at .2.

    Groups are drawn with ``shares``; all images of a person are of one group and, with several per person, equally
    right or wrong. Negatives have false alarms at .1.
    """
    rng = np.random.default_rng(seed)
    people = images // per_person
    group = rng.choice(len(fnr), people, p=shares).repeat(per_person)
    label = rng.integers(0, 2, (people, len(attributes))).repeat(per_person, 0).astype(np.float32)
    missed = np.full((images, len(attributes)), 0.2)
    missed[:, 0] = np.asarray(fnr)[group]
    wrong = rng.random((people, len(attributes))).repeat(per_person, 0) < np.where(label > 0, missed, 0.1)
    logit = np.where(wrong, 1 - label, label) * 2 - 1
    identity = [str(row // per_person) for row in range(images)] if per_person > 1 else [""] * images
    return Panel(
        attributes=tuple(attributes),
        rows=np.arange(images),
        label=label,
        logit=logit.astype(np.float32),
        threshold=np.zeros_like(label),
        minority=np.ones(len(attributes), np.int64),
        clusters=Clusters.of(identity),
        columns=(),
        values=np.zeros((images, len(attributes), 0), np.float32),
        groups={"group.g": np.array([f"g{number}" for number in group])},
    )


def division(planted, groups):
    """The division by the planted groups."""
    values = [f"g{number}" for number in range(groups)]
    codes = np.array([values.index(value) for value in planted.groups["group.g"]], np.int64)
    return Slicing.of("group.g", values, codes)
