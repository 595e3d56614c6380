"""The claims of the source, and what decides whether they hold here.

What could be read of arXiv 2303.18118 is its abstract, so its claims have no figures. Methods are compared within a
seed, which has the same scenes, the same order and the same labels for all of them. The criteria were written down when
one seed of plain cross-entropy had been seen, and none of another method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from experiments.average_k.campaign import SEEDS, TRAINED_SIZE, WARM, SetJob, jobs, regime
from experiments.scenes.over_seeds import OPEN, Result, at, number, shown, verdict

PUBLISHED, OURS = "arXiv 2303.18118: yes; its abstract has no figure", "*ours*"
MARGIN = 0.005  # half a percentage point; what a seed of 2,000 scenes tells apart of scores that resemble each other
EVEN, ONCE, RARE_HALF = regime(rare=False, once=False), regime(rare=False, once=True), regime(rare=True, once=False)
KINDS: Mapping[str, str] = {
    EVEN: "labels drawn anew in every epoch",
    ONCE: "labels drawn once",
    RARE_HALF: "one half of the shapes 20 times as rare, labels drawn anew",
}
NAMES: Mapping[str, str] = {
    "ce": "softmax, cross-entropy",
    "two_head": "two heads: sets of the sigmoid head",
    "two_head/softmax": "two heads: sets of its softmax head",
    "an_ls": "AN-LS",
    "hill": "Hill",
    "asymmetric": "ASL",
}
SHORT: Mapping[str, str] = {**NAMES, "ce": "softmax", "two_head": "two heads", "two_head/softmax": "its softmax head"}
Results = Mapping[str, Result]
HEAD = ("claim", "published", "here, mean [range over seeds]", "seeds", "criterion", "verdict")


def of(
    results: Results, method: str, kind: str, *, size: float = TRAINED_SIZE, warm: float = WARM
) -> dict[int, Result]:
    """Select the finished seeds of a method.

    Args:
        results: By name of the job.
        method: A key of ``NAMES``.
        kind: A key of ``KINDS``.
        size: K of the two-head loss.
        warm: Share of its epochs that are a warm-up.
    """
    by_seed = {}
    for seed in SEEDS:
        how = {"rare": kind == RARE_HALF, "once": kind == ONCE}
        job = SetJob("one", "mean", seed, method=method.partition("/")[0], size=size, warm=warm, **how)
        if job.name in results:
            by_seed[seed] = results[job.name]
    return by_seed


def methods_of(kind: str) -> list[str]:
    """List the methods that are trained with labels of a kind.

    >>> methods_of(ONCE)
    ['ce', 'two_head', 'two_head/softmax']
    """
    trained = {job.method for job in jobs() if regime(rare=job.rare, once=job.once) == kind}
    return [method for method in NAMES if method.partition("/")[0] in trained]


def path(method: str, rest: str) -> str:
    """Return where a method's figure stands.

    >>> path("two_head/softmax", "average_k/2/gap"), path("ce", "map")
    ('softmax/average_k/2/gap', 'sets/map')
    """
    return f"{method.partition('/')[2] or 'sets'}/{rest}"


@dataclass(frozen=True)
class Claim:
    """A claim about two methods, and how it is judged.

    Attributes:
        text: The claim.
        published: Where, and what.
        kind: Of labels.
        methods: The two that are compared, the first of which is claimed to be better.
        figures: What is shown of both, by label.
        criterion: In words.
        holds: Whether one seed meets it, given a function from method and figure to its value.
    """

    text: str
    published: str
    kind: str
    methods: tuple[str, str]
    figures: Mapping[str, str]
    criterion: str
    holds: Callable[[Callable[[str, str], float]], bool] = field(repr=False)

    def row(self, results: Results) -> list[str]:
        """Make the table's row."""
        one, other = (of(results, method, self.kind) for method in self.methods)
        common = sorted(one.keys() & other.keys())
        both = dict(zip(self.methods, (one, other), strict=True))  # one where a method is compared with itself
        here = "; ".join(
            f"{label}: "
            + ", ".join(
                f"{SHORT[method]} {shown((at(by_seed[seed], path(method, figure)) for seed in common), 3)}"
                for method, by_seed in both.items()
            )
            for label, figure in self.figures.items()
        )
        met = [self.holds(self._reader(one[seed], other[seed])) for seed in common]
        seeds = f"{len(common)} seed{'' if len(common) == 1 else 's'}"
        return [self.text, self.published, here if common else OPEN, seeds, self.criterion, verdict(met)]

    def _reader(self, one: Result, other: Result) -> Callable[[str, str], float]:
        of_method = dict(zip(self.methods, (one, other), strict=True))

        def read(method: str, figure: str) -> float:
            value = at(of_method[method], path(method, figure))
            return float("nan") if value is None else value

        return read


def nearer(other: str, kind: str, published: str = PUBLISHED, K: str = "2") -> Claim:
    """Claim that the sets of two heads are nearer to the best possible than those of another method."""
    gap = f"average_k/{K}/gap"
    return Claim(
        f"Sets of the two-head loss are better than those of {SHORT[other]}: {KINDS[kind]}",
        published,
        kind,
        ("two_head", other),
        {f"short of the limit at K = {K}": gap},
        f"shortfall smaller by {number(MARGIN, 3)} in the same seed",
        lambda read: read("two_head", gap) < read(other, gap) - MARGIN,
    )


def gain(read: Callable[[str, str], float], figure: str) -> float:
    """Compute by how much two heads exceed plain cross-entropy."""
    return read("two_head", figure) - read("ce", figure)


def at_two(read: Callable[[str, str], float]) -> float:
    """Compute average-K accuracy at K = 2, less what the best sets gain from 2 to the size that these have."""
    excess = read("ce", "average_k/2/limit") - read("ce", "average_k/2/limit_at_k")
    return read("ce", "average_k/2/accuracy") - excess


LOW, HIGH = "average_k/1/gap", "average_k/3/gap"
FEW, OTHERS = "average_k/2/of_few", "average_k/2/of_others"
CLAIMS: Sequence[Claim] = (
    *(nearer("ce", kind) for kind in KINDS),
    *(nearer(other, kind) for kind in (EVEN, RARE_HALF) for other in ("an_ls", "hill", "asymmetric")),
    Claim(
        "The gain over plain cross-entropy is larger, the more labels are left open",
        "arXiv 2303.18118: the gains are larger the higher the uncertainty; no figure",
        EVEN,
        ("two_head", "ce"),
        {"short of the limit at K = 1": LOW, "at K = 3": HIGH},
        f"gain above 0 at K = 3, and larger than at K = 1 by {number(MARGIN, 3)}",
        lambda read: -gain(read, HIGH) > max(0.0, -gain(read, LOW) + MARGIN),
    ),
    Claim(
        "The gain is larger for classes of few samples",
        "arXiv 2303.18118: especially for classes with few samples; no figure",
        RARE_HALF,
        ("two_head", "ce"),
        {"coverage at K = 2 of rare shapes": FEW, "of the others": OTHERS},
        f"gain in coverage of rare shapes above 0, and larger than that of the others by {number(MARGIN, 3)}",
        lambda read: gain(read, FEW) > max(0.0, gain(read, OTHERS) + MARGIN),
    ),
    *(
        Claim(
            f"It is the second head that helps, and not what the network learns for it: {KINDS[kind]}",
            OURS,
            kind,
            ("two_head", "two_head/softmax"),
            {"short of the limit at K = 2": "average_k/2/gap"},
            f"shortfall smaller by {number(MARGIN, 3)} than that of the softmax head of the same network",
            lambda read: read("two_head", "average_k/2/gap") < read("two_head/softmax", "average_k/2/gap") - MARGIN,
        )
        for kind in KINDS
    ),
    Claim(
        "Thresholding all images' scores is better than a fixed number of labels, by plain cross-entropy",
        "arXiv 2112.08851: yes, where ambiguity differs between images",
        EVEN,
        ("ce", "ce"),
        {
            "average-K accuracy at K = 2": "average_k/2/accuracy",
            "of sets of the size": "average_k/2/size",
            "top-2": "top_k/2/accuracy",
        },
        f"more than top-2 by {number(MARGIN, 3)}, less what sets larger than 2 can gain at most",
        lambda read: at_two(read) > read("ce", "top_k/2/accuracy") + MARGIN,
    ),
)
