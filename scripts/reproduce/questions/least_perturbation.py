"""(BL2) by every method, where the least perturbation is known: how near, and at what cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bilad.scripts.attack_runs import attained_value, outcome
from bilad.scripts.known_problems import SIZE_TOLERANCE, KnownProblem, known_problems
from bilad.scripts.settings import readable_settings
from bilad.solvers import attack
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.staircase import least_perturbation, staircase
from bilad.solvers.upper import REFORMULATIONS, UPPER_METHODS

BOUND = "bound"  # in the place of a method: the proved bound alone, by one solve
MOST_POINTS = 50  # of a reformulation: opening more takes long
LEFT_OUT = ("direct",)  # a lattice: as long as its step is fine


@dataclass(frozen=True)
class LeastAttack:
    """A method on a problem with a known optimum.

    Attributes
    ----------
    problem, source : str
        The source of the optimum: closed form, MILP, ray or staircase.
    method : str
    optimum : float
        Infimum of ||eps||.
    value : float
        ||eps|| that was found, infinity without an attack whose labels are proved; of "bound" the
        proved lower bound, NaN if there is none.
    solves : int
    seconds : float
        Of "bound": those that it took.
    status : str
    """

    problem: str
    source: str
    method: str
    optimum: float
    value: float
    solves: int
    seconds: float
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
        stairs = staircase(setting.model(), problem.perturbation, -problem.radius, problem.radius)
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
