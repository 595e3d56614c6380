"""Who is in the pictures: labels, people and splits of any number of faces, each a function of (seed, index) alone.

Faces come in blocks of 32 people. A block is drawn as a whole from (seed, block), so face i is the same however many
are made, in which order and process. Changed prevalences or correlations keep every face's person, pose, background and
random draws; labels turn over as far as the numbers ask for it.

Within a block the labels are stratified: each attribute goes to as many faces as its prevalence says, as far as people
are not torn apart. That takes most of the chance out of the prevalences of a small set.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.faces.labels import constraints
from bincam.faces.labels.copula import Copula, calibrate
from bincam.faces.labels.prevalence import Target, target
from bincam.faces.labels.spec import ATTRIBUTES, FaceSpec

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

PEOPLE = 32  # in one block
SPLITS = (162_770, 19_867, 19_962)  # CelebA's training, validation and test images
IMAGES_PER_PERSON = 6
PARTIAL_BEARDS = 0.6  # of the people with goatee or sideburns, those with no more beard than that
_GOLDEN = (5**0.5 - 1) / 2
_DOMAIN = 0xFACE5  # keeps these streams apart from others seeded by the same number

# How much of what is an attribute's own (not explained by those before it) belongs to the person rather than to the
# photograph. Male is wholly the person's; the rest are set by how long the trait lasts.
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
    """A run of faces.

    Attributes:
        labels: (N, 40) in the order of ``ATTRIBUTES``.
        drawn: (N, 40) what they are drawn with; ``logic.told`` of it are the labels.
        seed: (N,) of each photograph.
        identity: (N,) the seed of each person.
        person: (N,) the number of each person, from 1.
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

    def __getitem__(self, at: int) -> FaceSpec:
        return FaceSpec(int(self.seed[at]), int(self.identity[at]), tuple(bool(on) for on in self.drawn[at]))

    def take(self, rows: slice | Integers) -> Faces:
        """Some of the faces."""
        return Faces(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(frozen=True)
class Sampler:
    """Draws faces.

    Attributes:
        copula: What their labels are distributed like.
        seed: Of the whole set, not negative.
        images_per_person: On average; one has between 1 and twice as many, less one.
    """

    copula: Copula
    seed: int = 0
    images_per_person: int = IMAGES_PER_PERSON

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"a seed is not negative, got {self.seed}")
        if self.images_per_person < 1:
            raise InputError(f"a person has at least one image, got {self.images_per_person}")

    def faces(self, start: int, stop: int) -> Faces:
        """Faces ``start`` to ``stop - 1``."""
        if not 0 <= start < stop:
            raise InputError(f"a run of faces starts at 0 or later and is not empty, got {start} to {stop}")
        size = int(self._sizes.sum())
        first, last = start // size, (stop - 1) // size
        blocks = [self._block(number) for number in range(first, last + 1)]
        columns = {field.name: [getattr(block, field.name) for block in blocks] for field in fields(Faces)}
        joined = Faces(**{name: np.concatenate(parts) for name, parts in columns.items()})
        return joined.take(slice(start - first * size, stop - first * size))

    @cached_property
    def _sizes(self) -> Integers:
        """(PEOPLE,): images of each person before shuffling; the same in every block, so an index gives its block."""
        most = 2 * self.images_per_person - 1
        return 1 + ((2 * np.arange(PEOPLE) + 1) * most) // (2 * PEOPLE)

    @cached_property
    def _mixing(self) -> tuple[Floats, Floats]:
        """L with latent = innovations @ L.T, lasting traits first, and how much of each innovation is the person's."""
        constancy = np.array([_CONSTANCY[name] for name in ATTRIBUTES])
        order = np.argsort(-constancy, kind="stable")
        lower = np.linalg.cholesky(self.copula.correlation[np.ix_(order, order)])
        mixing = np.empty_like(lower)
        mixing[order] = lower  # rows back in the order of ATTRIBUTES, columns stay in that of the innovations
        return mixing, constancy[order]

    def _block(self, number: int) -> Faces:
        rng = np.random.default_rng([_DOMAIN, self.seed, number])
        sizes = rng.permutation(self._sizes)
        who = np.repeat(np.arange(PEOPLE), sizes)  # (N,)
        identity = rng.integers(2**63, size=PEOPLE)
        seed = rng.integers(2**63, size=len(who))
        person = rng.standard_normal((PEOPLE, len(ATTRIBUTES)))
        photo = rng.standard_normal((len(who), len(ATTRIBUTES)))
        mixing, constancy = self._mixing
        latent = (np.sqrt(constancy) * person[who] + np.sqrt(1 - constancy) * photo) @ mixing.T
        labels = self.copula.labels(latent, shift=rng.random(len(ATTRIBUTES)))
        partial = rng.random(PEOPLE) < PARTIAL_BEARDS
        return Faces(
            labels=labels,
            drawn=constraints.without_full_beard(labels, partial[who]),
            seed=seed,
            identity=identity[who],
            person=number * PEOPLE + who + 1,
            split=self._split(number)[who],
        )

    def _split(self, number: int) -> Integers:
        """(PEOPLE,): the split of each person of a block.

        Person k is at k golden ratios, modulo 1, from where the seed starts: any run of people is spread evenly.
        """
        at = np.random.default_rng([_DOMAIN, self.seed]).random()
        place = (at + (number * PEOPLE + np.arange(PEOPLE)) * _GOLDEN) % 1.0
        return np.searchsorted(np.cumsum(SPLITS[:-1]) / sum(SPLITS), place, side="right")


def sampler(wanted: Target, seed: int = 0, images_per_person: int = IMAGES_PER_PERSON) -> Sampler:
    """The sampler whose faces, as far as their labels can be seen, come out as wanted.

    Raises:
        InputError: A bad seed or number, or correlations that were demanded and cannot hold together.
    """
    return Sampler(calibrate(wanted, _seen()), seed, images_per_person)


@lru_cache(maxsize=64)
def spec(seed: int) -> FaceSpec:
    """The face that a number stands for: the first of the set of that seed, with CelebA's prevalences and φ."""
    return Sampler(_celeba(), seed).faces(0, 1)[0]


@lru_cache(maxsize=1)
def _celeba() -> Copula:
    return calibrate(target("celeba"), _seen())


@lru_cache(maxsize=1)
def _seen() -> Floats:
    """(40,): in what share of the faces labelled with an attribute the renderer lets it be seen, as measured."""
    with (files("bincam.faces.labels") / "assets" / "seen.csv").open(encoding="utf-8") as lines:
        found = {row["attribute"]: float(row["seen"]) for row in csv.DictReader(lines)}
    return np.array([found[name] for name in ATTRIBUTES])
