"""(BL2) by every method, where the least perturbation is known: how near, and at what cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bilad.scripts.attack_runs import attained_value, outcome
from bilad.scripts.known_problems import SIZE_TOLERANCE, KnownProblem, known_problems
from bilad.scripts.reproduce.section import Block, Table, Text
from bilad.scripts.settings import readable_settings
from bilad.scripts.tables import grouped
from bilad.solvers import attack
from bilad.solvers.clustering.parametric.optimum import least_perturbation
from bilad.solvers.clustering.parametric.parametric_path import parametric_path
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.upper import REFORMULATIONS, UPPER_METHODS

BOUND = "bound"  # in the place of a method: the proved bound alone, by one solve
MOST_POINTS = 50  # of a reformulation: opening more takes long
LEFT_OUT = ("direct",)  # a lattice: as long as its step is fine


@dataclass(frozen=True)
class LeastAttack:
    """A method on a problem with a known optimum."""

    # problem, source: the source of the optimum: closed form, MILP, ray or staircase
    problem: str
    source: str
    method: str
    optimum: float  # infimum of ||eps||
    # ||eps|| that was found, infinity without an attack whose labels are proved; of "bound" the
    # proved lower bound, NaN if there is none
    value: float
    solves: int
    seconds: float  # of "bound": those that it took
    status: str

    @property
    def ratio(self) -> float:
        """Value over optimum."""
        return self.value / self.optimum

    @property
    def solved(self) -> bool:
        """Whether the value is within 0.1 % of the optimum."""
        return self.value <= self.optimum * (1 + SIZE_TOLERANCE)


def known_least(every: int) -> list[KnownProblem]:
    """Return problems (BL2) whose optimum is known, and the settings, those with data.

    Parameters
    ----------
    every : int
        Of the known problems the first, and so forth in steps.
    """
    known = [p for p in known_problems().values() if p.problem.sense == "min"]
    return known[::every] + settings()


def settings() -> list[KnownProblem]:
    """Return the settings along their rays, with the first step of the exact staircase."""
    found = []
    for name, setting in readable_settings().items():
        problem = setting.min_perturbation()
        stairs = parametric_path(
            setting.model(), problem.perturbation, -problem.radius, problem.radius
        )
        answer = least_perturbation(stairs, setting.target)
        if answer is not None:
            found.append(KnownProblem(name, problem, float(answer.infimum), "staircase"))
    return found


def least_attacks(
    problems: Sequence[KnownProblem],
    methods: Sequence[str],
    solves: int,
    seconds: float,
    seed: int,
) -> Iterator[LeastAttack]:
    """Yield each method on each problem that it takes, and the bound of each problem.

    Parameters
    ----------
    problems : sequence of KnownProblem
    methods : sequence of str
        Of `attack`.
    solves : int
        Of the lower level, that a method has.
    seconds : float
        That it has.
    seed : int
    """
    for known in problems:
        bounded = attack(known.problem, "random", seed, max_solves=1, bound="quick", closing="none")
        value = float("nan") if bounded.bound is None else float(bounded.bound)
        yield _row(known, BOUND, value, 1, bounded.seconds_bounding, "")
        large = known.problem.model.n > MOST_POINTS
        for method in methods:
            if large and method in REFORMULATIONS:
                continue
            try:
                found = attack(
                    known.problem, method, seed, seconds, solves, bound="none", closing="none"
                )
            except UnsupportedError:
                continue
            size = attained_value(known.problem, found.norm, found.deviation, found.proved)
            yield _row(known, method, size, found.lower_solves, found.seconds, outcome(found))


def able_methods() -> list[str]:
    """Return the methods that are compared, of those whose packages are installed."""
    return [name for name in UPPER_METHODS if name not in LEFT_OUT]


def _row(
    known: KnownProblem, method: str, value: float, solves: int, seconds: float, status: str
) -> LeastAttack:
    return LeastAttack(
        known.name, known.source, method, known.optimum, value, solves, seconds, status
    )


@dataclass(frozen=True)
class MethodSummary:
    """What a method came to on the problems that it takes: medians, and how many it solved."""

    method: str
    # problems, solved, failures: failures are those without an attack
    problems: int
    solved: int
    failures: int
    ratio: float  # median of value over optimum, failures left out
    # solves, seconds: medians
    solves: float
    seconds: float

    @property
    def share(self) -> float:
        """Share of the problems that were solved."""
        return self.solved / self.problems


def least_blocks(rows: Sequence[LeastAttack], solves: int, seconds: float) -> list[Block]:
    """Return how near the methods come to the least perturbation."""
    cells = [
        {
            "method": own.method,
            "problems": own.problems,
            "solved": own.solved,
            "share": own.share,
            "failures": own.failures,
            "median ratio": own.ratio,
            "solves": own.solves,
            "seconds": own.seconds,
        }
        for own in summaries(rows)
    ]
    known = len({row.problem for row in rows})
    table = Table(
        "Open question 2: (BL2) by every method",
        cells,
        f"{known} problems with a known optimum (two points, two clusters, small random ones "
        f"proved by a MILP or a ray, the settings' rays), {solves} solves or "
        f"{seconds:g} s each. Solved: within 0.1 % of the optimum. Ratio: ||eps|| over the "
        "optimum, failures left out. A method is judged on the problems that it takes; the "
        f"reformulations are not given more than {MOST_POINTS} points, which take them longer.",
    )
    return [table, Text(answer(rows))]


def summaries(rows: Sequence[LeastAttack]) -> list[MethodSummary]:
    """Return a summary of each method, the one that solves the largest share first."""
    methods = grouped([row for row in rows if row.method != BOUND], lambda row: row.method)
    made = [_summary(method, own) for method, own in methods]
    return sorted(made, key=lambda own: (-own.share, own.seconds))


def _summary(method: str, own: Sequence[LeastAttack]) -> MethodSummary:
    ratios = [row.ratio for row in own if np.isfinite(row.value)]
    return MethodSummary(
        method,
        problems=len(own),
        solved=sum(row.solved for row in own),
        failures=len(own) - len(ratios),
        ratio=float(np.median(ratios)) if ratios else float("nan"),
        solves=float(np.median([row.solves for row in own])),
        seconds=float(np.median([row.seconds for row in own])),
    )


def answer(rows: Sequence[LeastAttack]) -> str:
    """Return which methods solve (BL2), and whether the bounds are tight."""
    made = summaries(rows)
    most = max(own.problems for own in made)
    general = [own for own in made if own.problems == most]
    best = max(general, key=lambda own: (own.solved, -own.seconds))
    special = [own for own in made if own.problems < most and own.share == 1]
    said = [
        f"Of the methods that take all {most} problems, {best.method} comes within 0.1 % of the "
        f"least perturbation most often, on {best.solved}, in {best.seconds:.2g} s (median)"
    ]
    if special:
        names = ", ".join(f"{own.method} ({own.problems})" for own in special)
        said.append(f"all of the problems that they take are solved by {names}")
    return "; ".join(said) + ". " + _bounds(rows)


def _bounds(rows: Sequence[LeastAttack]) -> str:
    bounds = [row for row in rows if row.method == BOUND]
    given = [row for row in bounds if np.isfinite(row.value)]
    tight = sum(row.value >= row.optimum * (1 - SIZE_TOLERANCE) for row in given)
    wrong = sum(row.value > row.optimum * (1 + SIZE_TOLERANCE) for row in given)
    middle = f" (median {np.median([row.ratio for row in given]):.2f} of it)" if given else ""
    return (
        f"A proved lower bound is given for {len(given)} of {len(bounds)} problems, is within 0.1 "
        f"% of the optimum for {tight}{middle}, and above it for {wrong}."
    )
