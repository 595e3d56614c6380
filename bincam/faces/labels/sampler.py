"""Sampler of faces: labels, people and splits, each face a function of (seed, index) alone.

Faces come in blocks of 32 people. A block is sampled as a whole from (seed, block), so face i does not depend on the
number of faces, the order or the process. Other prevalences or correlations leave every face's person, pose, background
and random draws unchanged; labels flip only as far as the new numbers require.

Within a block the labels are stratified: each attribute goes to as many faces as its prevalence requires, as far as
images of one person allow. This removes most of the sampling error from the prevalences of a small set.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.faces.labels import constraints
from bincam.faces.labels.copula import Copula, calibrate
from bincam.faces.labels.prevalence import Target, by_attribute, target
from bincam.faces.labels.spec import ATTRIBUTES, FaceSpec

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

PEOPLE = 32  # in one block
SPLITS = (162_770, 19_867, 19_962)  # CelebA's training, validation and test images
IMAGES_PER_PERSON = 6
PARTIAL_BEARDS = 0.6  # of the people with a goatee or sideburns, the fraction without a full beard
_GOLDEN = (5**0.5 - 1) / 2
_DOMAIN = 0xFACE5  # keeps these streams apart from others seeded by the same number

# The fraction of an attribute's own variance (not explained by those before it) that belongs to the person and not to
# the photograph. Male belongs wholly to the person; the other values follow how long the trait lasts.
_CONSTANCY = {
    "Male": 1.0,
    "Big_Nose": 0.95,
    "Pointy_Nose": 0.95,
    "Big_Lips": 0.95,
    "Oval_Face": 0.95,
    "Young": 0.95,
    "Narrow_Eyes": 0.9,
    "Chubby": 0.9,
    "Double_Chin": 0.9,
    "Bald": 0.9,
    "Receding_Hairline": 0.9,
    "Pale_Skin": 0.9,
    "Bushy_Eyebrows": 0.9,
    "Arched_Eyebrows": 0.85,
    "Gray_Hair": 0.85,
    "Attractive": 0.8,
    "Black_Hair": 0.8,
    "Blond_Hair": 0.75,
    "Brown_Hair": 0.7,
    "No_Beard": 0.7,
    "Goatee": 0.7,
    "Mustache": 0.7,
    "Sideburns": 0.7,
    "Bags_Under_Eyes": 0.6,
    "High_Cheekbones": 0.3,
    "5_o_Clock_Shadow": 0.5,
    "Straight_Hair": 0.5,
    "Wavy_Hair": 0.5,
    "Eyeglasses": 0.5,
    "Bangs": 0.4,
    "Heavy_Makeup": 0.4,
    "Rosy_Cheeks": 0.4,
    "Wearing_Lipstick": 0.4,
    "Wearing_Earrings": 0.3,
    "Wearing_Necklace": 0.2,
    "Wearing_Necktie": 0.2,
    "Wearing_Hat": 0.1,
    "Smiling": 0.1,
    "Mouth_Slightly_Open": 0.05,
    "Blurry": 0.0,
}


@dataclass(frozen=True)
class Faces:
    """A range of sampled faces; ``faces[i]`` is the :class:`~bincam.faces.FaceSpec` of one of them.

    Attributes:
        labels: (N, 40) in the order of ``ATTRIBUTES``.
        drawn: (N, 40) attributes that the faces are drawn with, from which
            :func:`~bincam.faces.labels.constraints.labels_from_drawn` derives the labels.
        seed: (N,) seed of each photograph.
        identity: (N,) seed of each person.
        person: (N,) number of each person, from 1.
        split: (N,) 0 training, 1 validation, 2 test.
    """

    labels: NDArray[np.bool_]
    drawn: NDArray[np.bool_]
    seed: Integers
    identity: Integers
    person: Integers
    split: Integers

    def __len__(self) -> int:
        return len(self.seed)

    def __getitem__(self, row: int) -> FaceSpec:
        return FaceSpec(int(self.seed[row]), int(self.identity[row]), tuple(bool(on) for on in self.drawn[row]))

    def take(self, rows: slice | Integers) -> Faces:
        """Return the faces of some rows."""
        return Faces(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(frozen=True)
class Sampler:
    """A sampler of faces; see :func:`sampler` for the usual way to create one.

    Attributes:
        copula: The distribution of the labels.
        seed: Seed of the whole set, not negative.
        images_per_person: n, the mean number of images. People have between 1 and 2n - 1.

    Raises:
        InputError: A negative seed, or fewer than one image per person.
    """

    copula: Copula
    seed: int = 0
    images_per_person: int = IMAGES_PER_PERSON

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"expected a seed that is not negative, got {self.seed}")
        if self.images_per_person < 1:
            raise InputError(f"expected at least one image per person, got {self.images_per_person}")

    def faces(self, start: int, stop: int) -> Faces:
        """Sample faces ``start`` to ``stop - 1``.

        Raises:
            InputError: The range is empty or starts below 0.
        """
        if not 0 <= start < stop:
            raise InputError(f"expected a range of faces from 0 or later that is not empty, got {start} to {stop}")
        size = int(self._sizes.sum())
        first, last = start // size, (stop - 1) // size
        blocks = [self._block(number) for number in range(first, last + 1)]
        columns = {field.name: [getattr(block, field.name) for block in blocks] for field in fields(Faces)}
        joined = Faces(**{name: np.concatenate(parts) for name, parts in columns.items()})
        return joined.take(slice(start - first * size, stop - first * size))

    @cached_property
    def _sizes(self) -> Integers:
        """(PEOPLE,) images of each person before shuffling, equal in every block, so an index determines its block."""
        most = 2 * self.images_per_person - 1
        return 1 + ((2 * np.arange(PEOPLE) + 1) * most) // (2 * PEOPLE)

    @cached_property
    def _mixing(self) -> tuple[Floats, Floats]:
        """L with latent = innovations @ L.T, lasting traits first, and the person's fraction of each innovation."""
        constancy = np.array([_CONSTANCY[name] for name in ATTRIBUTES])
        order = np.argsort(-constancy, kind="stable")
        lower = np.linalg.cholesky(self.copula.correlation[np.ix_(order, order)])
        mixing = np.empty_like(lower)
        mixing[order] = lower  # rows in the order of ATTRIBUTES again, columns in that of the innovations
        return mixing, constancy[order]

    def _block(self, number: int) -> Faces:
        rng = np.random.default_rng([_DOMAIN, self.seed, number])
        sizes = rng.permutation(self._sizes)
        people = np.repeat(np.arange(PEOPLE), sizes)  # (N,), the person on each image
        identity = rng.integers(2**63, size=PEOPLE)
        seed = rng.integers(2**63, size=len(people))
        person = rng.standard_normal((PEOPLE, len(ATTRIBUTES)))
        photo = rng.standard_normal((len(people), len(ATTRIBUTES)))
        mixing, constancy = self._mixing
        latent = (np.sqrt(constancy) * person[people] + np.sqrt(1 - constancy) * photo) @ mixing.T
        labels = self.copula.labels(latent, shift=rng.random(len(ATTRIBUTES)))
        partial = rng.random(PEOPLE) < PARTIAL_BEARDS
        return Faces(
            labels=labels,
            drawn=constraints.without_full_beard(labels, partial[people]),
            seed=seed,
            identity=identity[people],
            person=number * PEOPLE + people + 1,
            split=self._split(number)[people],
        )

    def _split(self, number: int) -> Integers:
        """Return (PEOPLE,), the split of each person of a block.

        Person k is k golden ratios, modulo 1, from a start that depends on the seed, so any range of people is spread
        evenly over the splits.
        """
        start = np.random.default_rng([_DOMAIN, self.seed]).random()
        place = (start + (number * PEOPLE + np.arange(PEOPLE)) * _GOLDEN) % 1.0
        return np.searchsorted(np.cumsum(SPLITS[:-1]) / sum(SPLITS), place, side="right")


def sampler(wanted: Target, seed: int = 0, images_per_person: int = IMAGES_PER_PERSON) -> Sampler:
    """Create the sampler whose faces, counting labels that can be seen, meet a target.

    Args:
        wanted: Of :func:`bincam.faces.labels.prevalence.target`.
        seed: Seed of the set, not negative.
        images_per_person: On average.

    Returns:
        The sampler.

    Raises:
        InputError: A bad seed or number, or requested correlations that are not feasible together.

    >>> from bincam.faces.labels.prevalence import target
    >>> from bincam.faces.labels.sampler import sampler
    >>> faces = sampler(target("independent"), seed=3).faces(0, 10)
    >>> len(faces), faces.labels.shape, faces[4]["Male"] == bool(faces.labels[4, ATTRIBUTES.index("Male")])
    (10, (10, 40), True)
    """
    return Sampler(calibrate(wanted, _seen()), seed, images_per_person)


@lru_cache(maxsize=64)
def spec(seed: int) -> FaceSpec:
    """Return the face that a number stands for: the first of the set of that seed, at CelebA's prevalences and φ.

    >>> spec(7) == spec(7), spec(7) == spec(8)
    (True, False)
    """
    return Sampler(_celeba(), seed).faces(0, 1)[0]


@lru_cache(maxsize=1)
def _celeba() -> Copula:
    return calibrate(target("celeba"), _seen())


@lru_cache(maxsize=1)
def _seen() -> Floats:
    """Return (40,), the measured fraction of faces drawn with an attribute in which the renderer shows it."""
    return by_attribute("seen.csv", "seen")
