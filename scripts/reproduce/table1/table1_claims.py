"""What section 6.3 says of Table 1, judged on our rows; its numbers are not to be compared.

And what a lower-level solve costs beside counting the deviation of its labels.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bilad.models import deviation
from bilad.scripts.reproduce.section import Claim, agrees_if
from bilad.scripts.reproduce.table1.paper_table1 import PaperRow
from bilad.scripts.reproduce.table1.table1_runs import (
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
BEYOND = "Beyond section 6.3"  # the same question, of what the paper does not run
OPTIMAL = 0.999  # share of the exact optimum
MAIN = 0.5  # of the seconds
MOST_RANGE = 0.3  # of the feature's range; "roughly"
LOWER = ("ssnal", "exact")
NEGLIGIBLE = 0.05  # of the seconds of both


def claims_of(
    rows: Sequence[Row], settings: Sequence[Setting], paper: Sequence[PaperRow]
) -> list[Claim]:
    """Judge the section.

    Parameters
    ----------
    rows : sequence of Row
    settings : sequence of Setting
        Of the data sets that were run.
    paper : sequence of PaperRow
    """
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
    """Return the rows of direct search and of a method, for each data set that has both."""
    by = {(row.dataset, row.method): row for row in rows}
    datasets = dict.fromkeys(row.dataset for row in rows)
    return [(by[d, DIRECT], by[d, name]) for d in datasets if (d, DIRECT) in by and (d, name) in by]


def larger_delta(rows: Sequence[Row], name: str, where: str) -> Claim:
    """Judge whether direct search finds a larger delta than a local method everywhere.

    Parameters
    ----------
    rows : sequence of Row
        Of (BL1).
    name : str
        Of the local method.
    where : str
    """
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
    """Judge whether direct search costs more seconds and more lower-level solves.

    Parameters
    ----------
    rows, name
        As in `larger_delta`.
    """
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
    """Judge what is said of where fmincon ends.

    Parameters
    ----------
    rows : sequence of Row
        Of (BL1).
    """
    pairs = [pair for name in FMINCONS for pair in _pairs(rows, name)]
    alone = [row for row in rows if row.method in (ONE_START, INTERIOR_POINT)]
    flat = sum(local.flat for _, local in pairs)
    apart = sum(direct.eps != local.eps for direct, local in pairs)
    moved = sum(row.delta > 0 for row in alone)
    return [
        Claim(
            WHERE,
            "fmincon's eps is another than that of direct search.",
            f"another in {apart} of {len(pairs)} runs of {FMINCONS[0]!r}",
            agrees_if(apart == len(pairs)),
        ),
        Claim(
            WHERE,
            "fmincon returns a stationary point of (BL1).",
            f"delta is constant around {flat} of {len(pairs)} answers, so its slope is zero there, "
            "as it is at every eps that is no step",
            agrees_if(flat == len(pairs)),
        ),
        Claim(
            WHERE,
            "fmincon finds an attack on every data set.",
            f"from eps = 0 alone, {moved} of {len(alone)} runs end with delta > 0. Where fmincon "
            "started in the paper is lost, and the solver is another",
            "cannot be compared",
        ),
    ]


def harder(rows: Sequence[Row]) -> Claim:
    """Count the runs that solve (BL2), and (BL1); with one eps that does not settle "usually".

    Parameters
    ----------
    rows : sequence of Row
        Of both.
    """
    own = {name: [row for row in rows if row.problem == name] for name in ("BL1", "BL2")}
    solved = {name: sum(row.share >= OPTIMAL for row in some) for name, some in own.items()}
    found = ", ".join(f"({name}) {solved[name]} of {len(some)}" for name, some in own.items())
    claim = "(BL2) is usually harder to solve than (BL1)."
    return Claim(
        "Section 4",
        claim,
        f"runs of our methods within {1 - OPTIMAL:.1%} of the optimum: {found}. All have one eps "
        "only; with more: open question 2",
        "cannot be compared",
    )


def main_cost(rows: Sequence[Row], name: str, where: str) -> Claim:
    """Judge whether the lower level takes most of the time of direct search.

    Parameters
    ----------
    rows : sequence of Row
        Of (BL1).
    name : str
        Direct search with one lower level or the other.
    where : str
    """
    shares = {row.dataset: row.share_solving for row in rows if row.method == name}
    found = ", ".join(f"{dataset} {share:.1%}" for dataset, share in shares.items())
    return Claim(
        where,
        f"The main cost is the lower level ({name}).",
        f"share of the seconds spent there: {found}",
        agrees_if(min(shares.values(), default=0.0) > MAIN),
    )


def _range_claim(settings: Sequence[Setting]) -> Claim:
    shares = {s.dataset: s.budget / float(np.ptp(s.model().data)) for s in settings}
    found = ", ".join(f"{dataset} {share:.0%}" for dataset, share in shares.items())
    return Claim(
        WHERE,
        f"Perturbations do not exceed roughly {MOST_RANGE:.0%} of the feature's range.",
        f"budgets of our settings over the range: {found}. They are our choice; the paper's units "
        "are lost",
        "cannot be compared",
    )


def _numbers(rows: Sequence[Row]) -> Claim:
    found = "; ".join(f"{r.dataset}: delta {r.delta} at {r.eps:.4g}" for r in _of(rows, DIRECT))
    return Claim(
        WHERE,
        "eps, delta, N_chg and seconds of its six rows.",
        f"direct search, our settings: {found}. The paper's parameters are lost",
        "cannot be compared",
    )


def _of(rows: Sequence[Row], name: str) -> list[Row]:
    return [row for row in rows if row.method == name]


def sizes_claims(rows: Sequence[Row], paper: Sequence[PaperRow]) -> list[Claim]:
    """Compare n and K of our settings with the paper's."""
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
    """Judge whether N_chg and delta of a row of the paper are those of two clusters that stay two.

    If not, nothing is wrong with the row: the paper does not say how many clusters there are then.

    Parameters
    ----------
    row : PaperRow
        With K = 2.
    """
    holds = row.delta == row.by_theorem_3
    other = "" if holds else ". Then there are not two clusters at eps; how many is not said"
    return Claim(
        f"{WHERE}, {row.dataset}, {row.method}",
        f"N_chg = {row.n_changed} and delta = {row.delta} (n = {row.n}, K = {row.K}) are those of "
        "two clusters that stay two. (Arithmetic of the paper's row; it is not reproduced.)",
        f"2 N_chg (n - N_chg) = {row.by_theorem_3} (Theorem 3){other}",
        "agrees" if holds else "cannot be compared",
    )


@dataclass(frozen=True)
class Cost:
    """Seconds of one solve and of one deviation, means over eps spread over the budget."""

    dataset: str
    lower: str  # "ssnal" or "exact": cold starts
    # solving, counting: delta is what is counted
    solving: float
    counting: float

    @property
    def share(self) -> float:
        """Of the counting."""
        return self.counting / (self.counting + self.solving)


def costs(settings: Sequence[Setting], count: int) -> Iterator[Cost]:
    """Time both at `count` eps, for each setting and lower-level method."""
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
    """Judge, for each lower-level method, whether counting is negligible."""
    claims = []
    for lower in dict.fromkeys(cost.lower for cost in found):
        own = [cost for cost in found if cost.lower == lower]
        texts = [
            f"{c.dataset}: {1e3 * c.solving:.2g} ms a solve, {1e3 * c.counting:.2g} ms a delta "
            f"({c.share:.1%})"
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
