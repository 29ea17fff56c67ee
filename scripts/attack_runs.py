"""One attack of the comparison of formulations, as a row of a table.

A run depends on its settings only. The deviation and the norm of a row belong to an accurate
lower-level solution at the returned eps. A method that fails gives a row too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bilad.formulations.complementarity import RELAXATIONS
from bilad.models import BilevelProblem
from bilad.solvers import Attack, attack
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.termination import CONVERGED
from bilad.solvers.upper import REFORMULATIONS, UPPER_METHODS

KEY = ("problem", "variant", "seed", "options", "limit")  # columns that identify a run
REFUSED = "refused"
FEW = 10  # parameters
DRAWS = 50  # of each vertex on average
CLOSING_ALONE = "closing alone"
NAN = float("nan")
FINAL = ("optimal", "no attack exists")  # statuses that no longer search can change


@dataclass(frozen=True)
class Variant:
    """A method with options, under one name."""

    name: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def takes_starts(self) -> bool:
        """Whether the method is a reformulation, which starts from a given eps."""
        return self.method in REFORMULATIONS

    @property
    def closing(self) -> str:
        """The closing search: reformulations are followed by one, search methods are not."""
        return "search" if self.takes_starts or self.name == CLOSING_ALONE else "none"

    @property
    def is_simple_search(self) -> bool:
        """Whether it is a simple search, which ends only when its time limit is reached."""
        return self.name in ("corners", "random")


VARIANTS = {
    variant.name: variant
    for variant in (
        *(Variant(f"kkt {name}", "kkt", {"relaxation": name}) for name in RELAXATIONS),
        Variant("duality", "duality"),
        Variant("duality aggregate", "duality", {"aggregate": True}),
        Variant("value-function", "value-function"),
        Variant(CLOSING_ALONE, "random", {"corners": 0}),  # without any search before closing
        Variant("milp", "milp"),
        Variant("corners", "corners"),
        Variant("random", "random"),
    )
}
# Every method with its default options, and the variants above.
METHODS = {**{name: Variant(name, name) for name in UPPER_METHODS}, **VARIANTS}


@dataclass(frozen=True)
class Plan:
    """What the comparison of formulations runs."""

    variants: Sequence[Variant]
    seed: int  # the first seed of the attacks and of the data
    seeds: int  # their number
    seconds: float | None  # time limit of one run; None for the default of each part
    quick: bool  # few problems and short time limits
    # for the part `rays`: by default all settings, or Iris if `quick`
    settings: Sequence[str] | None = None
    starts: int | None = None  # for the part `rays`: by default all starts, or two if `quick`

    def limit(self, seconds: float, quick_seconds: float) -> float:
        """Return the time limit of one run, given the two defaults of a part."""
        if self.seconds is not None:
            return self.seconds
        return quick_seconds if self.quick else seconds


@dataclass(frozen=True)
class Run:
    """The settings of one attack; `options` are added to the options of the variant."""

    problem: str
    variant: str
    seed: int
    seconds: float
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """The result of one attack."""

    # problem, variant, seed, options: the settings of the run
    problem: str
    variant: str
    seed: int
    options: str
    limit: float  # time limit in seconds
    # as `outcome` returns it; "refused" if the method does not support the problem; "error: ..."
    # after an exception
    status: str
    # the deviation (BL1) or ||eps|| (BL2); 0 or infinity without an attack with certified labels
    value: float
    own: float  # the value that the method found itself, before closing (`Attack.own`)
    bound: float = NAN  # the proved bound, or NaN
    # the known optimum, and the shares of it that `value` and `own` attain; NaN if it is not known
    optimum: float = NAN
    share: float = 0.0
    own_share: float = 0.0
    # lower-level solves, those of the closing search among them, and iterations of IPOPT
    lower_solves: int = 0
    closing_solves: int = 0
    iterations: int = 0
    seconds: float = 0.0
    improvements: str = ""  # when each better value was found: "seconds:value .."

    @property
    def line(self) -> str:
        """The row in one line."""
        start = f" {self.options}" if self.options else ""
        return (
            f"{self.problem} | {self.variant}{start}: {shown_value(self.value)}, "
            f"{self.seconds:.2f} s, {self.status}"
        )


def outcome(found: Attack) -> str:
    """Return the status of an attack if it is final, otherwise what ended the search early."""
    final = found.status in FINAL or found.termination == CONVERGED
    return found.status if final else found.termination


def shown_value(value: float) -> str:
    """Return a value as text; a dash if there is no attack."""
    return f"{value:.6g}" if 0 < value < float("inf") else "-"


def no_value(problem: BilevelProblem) -> float:
    """Return the value that stands for "no attack": 0 for (BL1), infinity for (BL2)."""
    return float("inf") if problem.sense == "min" else 0.0


def share(problem: BilevelProblem, optimum: float, value: float) -> float:
    """Return the share of the optimum that a value attains: between 0 and 1."""
    return optimum / value if problem.sense == "min" else value / optimum


def better(problem: BilevelProblem, value: float, other: float) -> bool:
    """Return whether a value is better than another."""
    return value < other if problem.sense == "min" else value > other


def attained_value(problem: BilevelProblem, size: float, deviation: float, proved: bool) -> float:
    """Return the value of an answer; that of "no attack" unless it is one with certified labels."""
    if not (proved and problem.is_attack(size, deviation)):
        return no_value(problem)
    return problem.value(size, deviation)


def improving(
    problem: BilevelProblem, found: Attack, best: float
) -> Iterator[tuple[int, float, float]]:
    """Yield (solves, seconds, value) for each answer of the history that improves on the best."""
    for seen in found.history:
        value = attained_value(problem, seen.size, seen.deviation, seen.proved)
        if better(problem, value, best):
            best = value
            yield seen.solves, seen.seconds, value


def run_attack(problem: BilevelProblem, run: Run, optimum: float = NAN) -> Row:
    """Attack a problem and return the row of the result."""
    variant = VARIANTS[run.variant]
    options = {**variant.options, **run.options}
    if variant.is_simple_search:
        options = {"corners": _corners(problem), **options}
    try:
        found = attack(
            problem,
            variant.method,
            run.seed,
            run.seconds,
            bound="none",
            closing=variant.closing,
            **options,
        )
    except UnsupportedError:
        return _failed(problem, run, REFUSED, optimum)
    except Exception as error:  # a failure is a result of the comparison
        return _failed(problem, run, f"error: {type(error).__name__}: {error}", optimum)
    value = attained_value(problem, found.norm, found.deviation, found.proved)
    own = attained_value(problem, found.own.norm, found.own.deviation, found.baseline.proved)
    moments = improving(problem, found, no_value(problem))
    return Row(
        **_settings(run),
        status=outcome(found),
        value=value,
        own=own,
        bound=NAN if found.bound is None else float(found.bound),
        optimum=optimum,
        share=share(problem, optimum, value),
        own_share=share(problem, optimum, own),
        lower_solves=found.lower_solves,
        closing_solves=found.closing_solves,
        iterations=sum(stage.iterations for stage in found.stages),
        seconds=found.seconds,
        improvements=" ".join(f"{seconds:.3f}:{value:.9g}" for _, seconds, value in moments),
    )


def _corners(problem: BilevelProblem) -> int:
    """Return how many vertices to draw: each many times if they are few, else without a limit."""
    k = problem.perturbation.dim
    return DRAWS * 2**k if k <= FEW else 10**9


def _settings(run: Run) -> dict[str, Any]:
    options = " ".join(f"{key}={value}" for key, value in run.options.items())
    return {
        "problem": run.problem,
        "variant": run.variant,
        "seed": run.seed,
        "options": options,
        "limit": run.seconds,
    }


def _failed(problem: BilevelProblem, run: Run, status: str, optimum: float) -> Row:
    value = no_value(problem)
    return Row(**_settings(run), status=status, value=value, own=value, optimum=optimum)


def improvements(row: Row) -> list[tuple[float, float]]:
    """Return (seconds, value) for each better value that the run found."""
    pairs = [part.split(":") for part in row.improvements.split()]
    return [(float(seconds), float(value)) for seconds, value in pairs]


def value_at(problem: BilevelProblem, row: Row, seconds: float) -> float:
    """Return the best value that the run had found after so many seconds."""
    values = [value for when, value in improvements(row) if when <= seconds]
    return values[-1] if values else no_value(problem)


def time_to(
    problem: BilevelProblem, row: Row, enough: Callable[[BilevelProblem, Row], bool]
) -> float:
    """Return the seconds of a run, infinity if its result is not good enough.

    A simple search continues until its time limit; the time of its last improvement is counted.
    """
    if not enough(problem, row):
        return float("inf")
    if VARIANTS[row.variant].is_simple_search:
        return improvements(row)[-1][0]
    return row.seconds
