"""The claims of section 6.3 on Table 1, judged on our rows, and the cost of a lower-level solve.

The numbers of the paper's Table 1 itself cannot be compared with ours.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bilad.models import deviation
from bilad.scripts.reproduce.part import Claim, agrees_if
from bilad.scripts.reproduce.table1.paper import PaperRow
from bilad.scripts.reproduce.table1.runs import (
    DIRECT,
    DIRECT_SSNAL,
    FMINCONS,
    INTERIOR_POINT,
    ONE_START,
    Row,
)
from bilad.scripts.settings import Setting
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.upper import REFORMULATIONS

WHERE = "Section 6.3, Table 1"
COST = "Section 6.3, complexity"
BEYOND = "Beyond section 6.3"  # the same question for methods that the paper does not use
OPTIMAL = 0.999  # share of the optimum that counts as solved
MAIN = 0.5  # share of the time that counts as the main cost
MOST_RANGE = 0.3  # share of the feature's range that the paper states
LOWER = ("ssnal", "exact")
NEGLIGIBLE = 0.05  # share of the time that counts as negligible


def claims_of(
    rows: Sequence[Row], settings: Sequence[Setting], paper: Sequence[PaperRow]
) -> list[Claim]:
    """Return the claims of the section on the methods."""
    bl1 = [row for row in rows if row.problem == "BL1"]
    return [
        _numbers(bl1),
        *sizes_claims(bl1, paper),
        *(larger_delta(bl1, name, WHERE) for name in FMINCONS),
        *(larger_delta(bl1, name, f"{BEYOND}, other local NLPs") for name in REFORMULATIONS),
        *(dearer(bl1, name) for name in FMINCONS),
        *stationary_claims(bl1),
        _range_claim(settings),
        main_cost(bl1, DIRECT_SSNAL, COST),
        main_cost(bl1, DIRECT, f"{BEYOND}, our exact solver"),
        harder(rows),
        *(form_claim(row) for row in paper if row.K == 2),
    ]


def _pairs(rows: Sequence[Row], name: str) -> list[tuple[Row, Row]]:
    """Return the rows of direct search and of another method, for each data set with both."""
    by = {(row.dataset, row.method): row for row in rows}
    datasets = dict.fromkeys(row.dataset for row in rows)
    return [(by[d, DIRECT], by[d, name]) for d in datasets if (d, DIRECT) in by and (d, name) in by]


def larger_delta(rows: Sequence[Row], name: str, where: str) -> Claim:
    """Return the claim that direct search always finds a larger delta than a local method."""
    pairs = _pairs(rows, name)
    found = "; ".join(
        f"{a.dataset}: {a.delta} against {b.delta}{_unless_regular(b.status)}" for a, b in pairs
    )
    claim = f"On every data set, direct search finds a larger delta than a local NLP ({name})."
    if not pairs:
        return Claim(where, claim, f"{name} was not run", "cannot be compared")
    return Claim(where, claim, found, agrees_if(all(a.delta > b.delta for a, b in pairs)))


def _unless_regular(status: str) -> str:
    return "" if status in ("feasible", "optimal") else f" ({status})"


def dearer(rows: Sequence[Row], name: str) -> Claim:
    """Return the claim that direct search needs more time and solves than a local method."""
    pairs = _pairs(rows, name)
    found = "; ".join(
        f"{a.dataset}: {a.seconds:.2g} s and {a.solves} solves against {b.seconds:.2g} s and "
        f"{b.solves}"
        for a, b in pairs
    )
    more = all(a.seconds > b.seconds and a.solves > b.solves for a, b in pairs)
    claim = f"Direct search takes more CPU time than fmincon ({name})."
    return Claim(WHERE, claim, found, agrees_if(bool(pairs) and more))


def stationary_claims(rows: Sequence[Row]) -> list[Claim]:
    """Return the claims on the solutions of fmincon, from the rows of (BL1)."""
    pairs = [pair for name in FMINCONS for pair in _pairs(rows, name)]
    alone = [row for row in rows if row.method in (ONE_START, INTERIOR_POINT)]
    flat = sum(local.flat for _, local in pairs)
    apart = sum(direct.eps != local.eps for direct, local in pairs)
    moved = sum(row.delta > 0 for row in alone)
    return [
        Claim(
            WHERE,
            "fmincon finds another eps than direct search.",
            f"another eps in {apart} of {len(pairs)} runs of {FMINCONS[0]!r}",
            agrees_if(apart == len(pairs)),
        ),
        Claim(
            WHERE,
            "fmincon returns a stationary point of (BL1).",
            f"delta is constant around {flat} of {len(pairs)} answers, so that its derivative is "
            "zero there, as it is at every eps without a jump",
            agrees_if(flat == len(pairs)),
        ),
        Claim(
            WHERE,
            "fmincon finds an attack on every data set.",
            f"started from eps = 0 only, {moved} of {len(alone)} runs end with delta > 0. The "
            "starting points of the paper are lost, and our solver is another one",
            "cannot be compared",
        ),
    ]


def harder(rows: Sequence[Row]) -> Claim:
    """Return the claim that (BL2) is harder, with the numbers of runs that solve each problem."""
    own = {name: [row for row in rows if row.problem == name] for name in ("BL1", "BL2")}
    solved = {name: sum(row.share >= OPTIMAL for row in some) for name, some in own.items()}
    found = ", ".join(f"({name}) {solved[name]} of {len(some)}" for name, some in own.items())
    claim = "(BL2) is usually harder to solve than (BL1)."
    return Claim(
        "Section 4",
        claim,
        f"runs of our methods within {1 - OPTIMAL:.1%} of the optimum: {found}. All these problems "
        "have one parameter; for more parameters see open question 2",
        "cannot be compared",
    )


def main_cost(rows: Sequence[Row], name: str, where: str) -> Claim:
    """Return the claim that the lower level takes most of the time of direct search (`name`)."""
    shares = {row.dataset: row.share_solving for row in rows if row.method == name}
    found = ", ".join(f"{dataset} {share:.1%}" for dataset, share in shares.items())
    return Claim(
        where,
        f"The main cost is the lower level ({name}).",
        f"share of the time that the lower level takes: {found}",
        agrees_if(min(shares.values(), default=0.0) > MAIN),
    )


def _range_claim(settings: Sequence[Setting]) -> Claim:
    shares = {s.dataset: s.budget / float(np.ptp(s.model().data)) for s in settings}
    found = ", ".join(f"{dataset} {share:.0%}" for dataset, share in shares.items())
    return Claim(
        WHERE,
        f"Perturbations do not exceed roughly {MOST_RANGE:.0%} of the feature's range.",
        f"budgets of our settings relative to the range: {found}. They are our choice; the paper's "
        "units are lost",
        "cannot be compared",
    )


def _numbers(rows: Sequence[Row]) -> Claim:
    found = "; ".join(f"{r.dataset}: delta {r.delta} at {r.eps:.4g}" for r in _of(rows, DIRECT))
    return Claim(
        WHERE,
        "eps, delta, N_chg and seconds of the six rows.",
        f"direct search in our settings: {found}. The paper's parameters are lost",
        "cannot be compared",
    )


def _of(rows: Sequence[Row], name: str) -> list[Row]:
    return [row for row in rows if row.method == name]


def sizes_claims(rows: Sequence[Row], paper: Sequence[PaperRow]) -> list[Claim]:
    """Return the claims on n and K, compared with our settings."""
    ours = {row.dataset: (row.n, row.K) for row in rows}
    theirs = {row.dataset: (row.n, row.K) for row in paper}
    claims = []
    for place, (letter, meaning) in enumerate((("n", "points"), ("K", "clusters at eps = 0"))):
        found = [f"{d}: {ours[d][place]} against {theirs[d][place]}" for d in ours]
        same = all(ours[d][place] == theirs[d][place] for d in ours)
        claims.append(
            Claim(WHERE, f"{letter}, the number of {meaning}.", "; ".join(found), agrees_if(same))
        )
    return claims


def form_claim(row: PaperRow) -> Claim:
    """Return whether N_chg and delta of a row with K = 2 agree with Theorem 3.

    A row that does not agree need not be wrong: the number of clusters at eps is not given.
    """
    holds = row.delta == row.by_theorem_3
    other = "" if holds else ". So there are not two clusters at eps; their number is not given"
    return Claim(
        f"{WHERE}, {row.dataset}, {row.method}",
        f"N_chg = {row.n_changed} and delta = {row.delta} (n = {row.n}, K = {row.K}) fit two "
        "clusters before and after. (This compares numbers of the paper with each other.)",
        f"2 N_chg (n - N_chg) = {row.by_theorem_3} (Theorem 3){other}",
        "agrees" if holds else "cannot be compared",
    )


@dataclass(frozen=True)
class Cost:
    """Mean seconds of a lower-level solve and of the evaluation of delta, over equidistant eps."""

    dataset: str
    lower: str  # "ssnal" or "exact", without warm starts
    solving: float
    counting: float  # the evaluation of delta from the labels

    @property
    def share(self) -> float:
        """The share of the evaluation of delta."""
        return self.counting / (self.counting + self.solving)


def costs(settings: Sequence[Setting], count: int) -> Iterator[Cost]:
    """Yield the costs at `count` eps, for each setting and lower-level method."""
    for setting in settings:
        model, shift = setting.model(), setting.shift()
        before = solve_lower(model).labels
        grid = np.linspace(-setting.budget, setting.budget, count)
        for lower in LOWER:
            solving = counting = 0.0
            for eps in grid:
                moved = shift.apply(model, eps)
                began = time.perf_counter()
                after = solve_lower(moved, lower).labels
                solved = time.perf_counter()
                deviation(before, after, "delta")
                counting += time.perf_counter() - solved
                solving += solved - began
            yield Cost(setting.dataset, lower, solving / count, counting / count)


def cost_claims(found: Sequence[Cost]) -> list[Claim]:
    """Return, for each lower-level method, the claim that evaluating delta is negligible."""
    claims = []
    for lower in dict.fromkeys(cost.lower for cost in found):
        own = [cost for cost in found if cost.lower == lower]
        texts = [
            f"{c.dataset}: {1e3 * c.solving:.2g} ms for a solve, {1e3 * c.counting:.2g} ms for "
            f"delta ({c.share:.1%})"
            for c in own
        ]
        claims.append(
            Claim(
                COST if lower == "ssnal" else f"{BEYOND}, our exact solver",
                f"Evaluating the deviation is negligible beside the lower level ({lower}).",
                "; ".join(texts),
                agrees_if(all(cost.share < NEGLIGIBLE for cost in own)),
            )
        )
    return claims
