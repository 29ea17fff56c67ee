"""The first change of the partition on either side of eps = 0, pair by pair (section 6.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bilad.models import deviation
from bilad.models.deviation import contingency
from bilad.models.validation import IntArray
from bilad.scripts.certificates.partition_change import moved_points
from bilad.scripts.reproduce.figures.ray_sites import Ray
from bilad.scripts.reproduce.section import Claim
from bilad.scripts.reproduce.verdict import agrees_if

WHERE = "Section 6.1, Figure 4"
SPLIT = 1e-9  # of eps; a shorter piece is one step, split as gamma is a double
PAPER_MOVED, PAPER_DELTA = 6, 1128  # the paper's first jump


@dataclass(frozen=True)
class FirstChange:
    """The change nearest to eps = 0 on one side; delta = 2 (torn + joined).

    Attributes
    ----------
    side : {"eps < 0", "eps > 0"}
    eps : float
    exact : str
        As a fraction.
    points : str
        That end apart from most of their old cluster, or joined; counted from 1.
    moved : int
        s, after the best renaming of clusters.
    clusters : int
        Beyond the change.
    delta, torn, joined : int
        torn: pairs together before, apart after; joined: the other way round.
    by_theorem_3 : int
        2 s (n - s), what it would be if two clusters stayed two.
    """

    side: str
    eps: float
    exact: str
    points: str
    moved: int
    clusters: int
    delta: int
    torn: int
    joined: int
    by_theorem_3: int


def first_changes(ray: Ray) -> Iterator[FirstChange]:
    """Yield the first change on the left and on the right that holds over more than rounding."""
    before = ray.baseline
    for sign, side in ((-1, "eps < 0"), (1, "eps > 0")):
        changed = [site for site in ray.outwards(sign) if not site.same]
        beyond = [site for site in changed if site.high - site.low > SPLIT]
        if beyond:
            exact = beyond[0].exact_low if sign > 0 else beyond[0].exact_high
            eps = beyond[0].low if sign > 0 else beyond[0].high
            middle = (beyond[0].low + beyond[0].high) / 2
            yield change_of(before, ray.stairs.labels_at(middle), side, eps, exact)


def change_of(before: IntArray, after: IntArray, side: str, eps: float, exact: str) -> FirstChange:
    """Count what a change does, pair by pair."""
    table = contingency(before, after)
    both = _pairs(table.ravel())
    moved = int(deviation(before, after, "changed-matched"))
    return FirstChange(
        side=side,
        eps=eps,
        exact=exact,
        points=", ".join(map(str, moved_points(before, after))),
        moved=moved,
        clusters=int(after.max()) + 1,
        delta=int(deviation(before, after, "delta")),
        torn=_pairs(table.sum(axis=1)) - both,
        joined=_pairs(table.sum(axis=0)) - both,
        by_theorem_3=theorem_3(len(before), moved),
    )


def theorem_3(n: int, s: int) -> int:
    """Return delta if s of n points change between two clusters: 2 s (n - s)."""
    return 2 * s * (n - s)


def _pairs(sizes: IntArray) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def robustness_claims(
    interval: tuple[float, float], certified: float, changes: Sequence[FirstChange], n: int
) -> list[Claim]:
    """Judge what section 6.1 says.

    Parameters
    ----------
    interval : tuple of float
        Of eps with the partition of eps = 0.
    certified : float
        No |eps| below changes the partition.
    changes : sequence of FirstChange
    n : int
        Points.
    """
    jumps = [f"{c.side}: N_chg 0 to {c.moved}, delta {c.delta}, at {c.eps:.4g}" for c in changes]
    return [
        Claim(
            WHERE,
            "For eps around 0 the clustering is unchanged: N_chg = 0.",
            f"unchanged on ({interval[0]:.6g}, {interval[1]:.6g}), exactly; certified for |eps| < "
            f"{certified:.6g}",
            agrees_if(interval[0] < 0 < interval[1] and certified > 0),
        ),
        Claim(
            WHERE,
            f"At the interval's end N_chg jumps from 0 to {PAPER_MOVED}, delta to {PAPER_DELTA}.",
            f"our setting: {'; '.join(jumps)}. The paper's parameters are lost",
            "cannot be compared",
        ),
        *form_claims(changes, n),
        Claim(
            WHERE,
            "Attacks happen on the other side of 0 as well.",
            f"a change within the budget on {len(changes)} of 2 sides",
            agrees_if(len(changes) == 2),
        ),
    ]


def form_claims(changes: Sequence[FirstChange], n: int) -> list[Claim]:
    """Judge whether first jumps have the form of Theorem 3: the paper's, and ours.

    Parameters
    ----------
    changes : sequence of FirstChange
    n : int
        Points.
    """
    forms = [
        f"{c.side}: delta {c.delta}, 2 s (n - s) = {c.by_theorem_3}, {c.clusters} clusters then"
        for c in changes
    ]
    return [
        Claim(
            f"{WHERE}, and Theorem 3",
            f"The paper's first jump is that of {PAPER_MOVED} of {n} points between two clusters.",
            f"2 s (n - s) = {theorem_3(n, PAPER_MOVED)} for s = {PAPER_MOVED}, n = {n}; the paper "
            f"has {PAPER_DELTA}. Arithmetic only",
            agrees_if(theorem_3(n, PAPER_MOVED) == PAPER_DELTA),
        ),
        Claim(
            f"{WHERE}, and Theorem 3",
            "At the first jump points go from one cluster to the other, and two clusters stay two.",
            f"our setting: {'; '.join(forms) or 'no jump'}",
            agrees_if(bool(changes) and all(c.delta == c.by_theorem_3 for c in changes)),
        ),
    ]
