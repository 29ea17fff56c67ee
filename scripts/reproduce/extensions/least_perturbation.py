"""Open question: (BL2) by every method, on problems whose optimum is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bilad.scripts.attack_runs import attained_value, outcome
from bilad.scripts.display import grouped
from bilad.scripts.known_problems import SIZE_TOLERANCE, KnownProblem, known_problems
from bilad.scripts.reproduce.part import Block, Table, Text
from bilad.scripts.settings import readable_settings
from bilad.solvers import attack
from bilad.solvers.clustering.parametric.optimum import least_perturbation
from bilad.solvers.clustering.parametric.parametric_path import parametric_path
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.upper import REFORMULATIONS, UPPER_METHODS

BOUND = "bound"  # in the place of a method: the proved lower bound
MOST_POINTS = 50  # for a reformulation; building a larger one takes long
LEFT_OUT = ("direct",)  # a grid search, whose time depends on its step only


@dataclass(frozen=True)
class LeastAttack:
    """The result of a method on a problem with a known optimum."""

    problem: str
    source: str  # of the optimum: "closed form", "MILP", "ray" or "parametric path"
    method: str
    optimum: float  # the infimum of ||eps||
    # the ||eps|| found, infinity without an attack with certified labels; for "bound" the proved
    # lower bound, NaN if there is none
    value: float
    solves: int
    seconds: float
    status: str

    @property
    def ratio(self) -> float:
        """The value over the optimum."""
        return self.value / self.optimum

    @property
    def solved(self) -> bool:
        """Whether the value is within 0.1 % of the optimum."""
        return self.value <= self.optimum * (1 + SIZE_TOLERANCE)


def known_least(every: int) -> list[KnownProblem]:
    """Return every `every`-th of the known problems (BL2), and the settings."""
    known = [p for p in known_problems().values() if p.problem.sense == "min"]
    return known[::every] + settings()


def settings() -> list[KnownProblem]:
    """Return (BL2) of the settings whose data can be read, solved by the parametric path."""
    found = []
    for name, setting in readable_settings().items():
        problem = setting.min_perturbation()
        reach = problem.radius
        path = parametric_path(setting.model(), problem.perturbation, -reach, reach)
        answer = least_perturbation(path, setting.target)
        if answer is not None:
            found.append(KnownProblem(name, problem, float(answer.infimum), "parametric path"))
    return found


def least_attacks(
    problems: Sequence[KnownProblem],
    methods: Sequence[str],
    solves: int,
    seconds: float,
    seed: int,
) -> Iterator[LeastAttack]:
    """Yield the bound of each problem, and each method that supports it, with the given limits."""
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
    """Return the methods that are compared; their packages are installed."""
    return [name for name in UPPER_METHODS if name not in LEFT_OUT]


def _row(
    known: KnownProblem, method: str, value: float, solves: int, seconds: float, status: str
) -> LeastAttack:
    return LeastAttack(
        known.name, known.source, method, known.optimum, value, solves, seconds, status
    )


@dataclass(frozen=True)
class MethodSummary:
    """The results of a method on the problems that it supports."""

    method: str
    problems: int
    solved: int
    failures: int  # problems without an attack
    ratio: float  # median of value over optimum, without failures
    # medians
    solves: float
    seconds: float

    @property
    def share(self) -> float:
        """The share of the problems that were solved."""
        return self.solved / self.problems


def least_blocks(rows: Sequence[LeastAttack], solves: int, seconds: float) -> list[Block]:
    """Return the table and the summary of the methods."""
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
        f"{known} problems with a known optimum: two points, two clusters, small random problems "
        f"solved by a MILP or on a ray, and our settings. Limits: {solves} solves and {seconds:g} "
        "s. solved: within 0.1 % of the optimum. median ratio: ||eps|| over the optimum, without "
        "failures. A method is judged on the problems that it supports; reformulations are not run "
        f"for more than {MOST_POINTS} points, because building them takes long.",
    )
    return [table, Text(answer(rows))]


def summaries(rows: Sequence[LeastAttack]) -> list[MethodSummary]:
    """Return a summary of each method, in decreasing order of the share that it solves."""
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
    """Describe which methods solve (BL2), and how tight the bounds are."""
    made = summaries(rows)
    most = max(own.problems for own in made)
    general = [own for own in made if own.problems == most]
    best = max(general, key=lambda own: (own.solved, -own.seconds))
    special = [own for own in made if own.problems < most and own.share == 1]
    said = [
        f"Of the methods that support all {most} problems, {best.method} is within 0.1 % of the "
        f"optimum most often, for {best.solved} problems, in {best.seconds:.2g} s (median)"
    ]
    if special:
        names = ", ".join(f"{own.method} ({own.problems})" for own in special)
        said.append(f"{names} solve all of the problems that they support")
    return "; ".join(said) + ". " + _bounds(rows)


def _bounds(rows: Sequence[LeastAttack]) -> str:
    bounds = [row for row in rows if row.method == BOUND]
    given = [row for row in bounds if np.isfinite(row.value)]
    tight = sum(row.value >= row.optimum * (1 - SIZE_TOLERANCE) for row in given)
    wrong = sum(row.value > row.optimum * (1 + SIZE_TOLERANCE) for row in given)
    middle = f" (median {np.median([row.ratio for row in given]):.2f} of it)" if given else ""
    return (
        f"There is a proved lower bound for {len(given)} of {len(bounds)} problems; it is within "
        f"0.1 % of the optimum for {tight}{middle}, and exceeds it for {wrong}."
    )
