"""One attack as a row of a table: a pure function of its settings, and what makes rows comparable.

Deviation and norm are those of the lower level's own solution at the returned eps. Whatever goes
wrong becomes a row too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bilad.formulations.complementarity import RELAXATIONS
from bilad.models import BilevelProblem
from bilad.solvers import Attack, attack
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.termination import CONVERGED
from bilad.solvers.upper import REFORMULATIONS, UPPER_METHODS

KEY = ("problem", "variant", "seed", "options", "limit")  # columns that say which run it was
REFUSED = "refused"
FEW = 10  # parameters
DRAWS = 50  # of each corner on average


CLOSING_ALONE = "closing alone"
NAN = float("nan")
FINAL = ("optimal", "no attack exists")  # whatever ended the search


@dataclass(frozen=True)
class Variant:
    """A method with options, under one name."""

    name: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def takes_starts(self) -> bool:
        """Whether it is solved from starting points."""
        return self.method in REFORMULATIONS

    @property
    def closing(self) -> str:
        """What is done after its own work: reformulations are closed, searches are not."""
        return "search" if self.takes_starts or self.name == CLOSING_ALONE else "none"

    @property
    def is_rival(self) -> bool:
        """Whether it is a simple search, which goes on for as long as it may."""
        return self.name in ("corners", "random")


VARIANTS = {
    variant.name: variant
    for variant in (
        *(Variant(f"kkt {name}", "kkt", {"relaxation": name}) for name in RELAXATIONS),
        Variant("duality", "duality"),
        Variant("duality aggregate", "duality", {"aggregate": True}),
        Variant("value-function", "value-function"),
        Variant(CLOSING_ALONE, "random", {"corners": 0}),  # no work of its own
        Variant("milp", "milp"),
        Variant("corners", "corners"),
        Variant("random", "random"),
    )
}
# Every method as it is, and the variants above.
METHODS = {**{name: Variant(name, name) for name in UPPER_METHODS}, **VARIANTS}


@dataclass(frozen=True)
class Run:
    """The settings of one attack; `options` are added to the variant's own."""

    problem: str
    variant: str
    seed: int
    seconds: float
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """What one attack came to."""

    # problem, variant, seed, options: its settings
    problem: str
    variant: str
    seed: int
    options: str
    limit: float  # seconds that it had
    # `outcome`; "refused" if the method cannot take the problem; "error: ..." if it broke
    status: str
    # deviation (BL1) or ||eps|| (BL2); 0 or infinity without an attack whose labels are proved
    value: float
    own: float  # the same, of what the method found itself, before closing (`Attack.own`)
    bound: float = NAN  # proved, or NaN
    # optimum, share, own_share: what is known to be possible, and how much of it `value` and `own`
    # are; NaN if nothing is known
    optimum: float = NAN
    share: float = 0.0
    own_share: float = 0.0
    # lower_solves, closing_solves, iterations: of the lower level, those of closing among them, and
    # of IPOPT
    lower_solves: int = 0
    closing_solves: int = 0
    iterations: int = 0
    seconds: float = 0.0
    improvements: str = ""  # when which value was first found: "seconds:value .."

    @property
    def line(self) -> str:
        """The row in one line."""
        start = f" {self.options}" if self.options else ""
        return (
            f"{self.problem} | {self.variant}{start}: {shown_value(self.value)}, "
            f"{self.seconds:.2f} s, "
            f"{self.status}"
        )


def outcome(found: Attack) -> str:
    """Return in one word what came of an attack: its status if final, else what cut it short."""
    final = found.status in FINAL or found.termination == CONVERGED
    return found.status if final else found.termination


def shown_value(value: float) -> str:
    """Return the value of an answer as text; a dash for that of no attack."""
    return f"{value:.6g}" if 0 < value < float("inf") else "-"


def no_value(problem: BilevelProblem) -> float:
    """Return the value of an answer that is no attack."""
    return float("inf") if problem.sense == "min" else 0.0


def share(problem: BilevelProblem, optimum: float, value: float) -> float:
    """Return how much of the optimum a value is: 1 is all, 0 is nothing."""
    return optimum / value if problem.sense == "min" else value / optimum


def run_attack(problem: BilevelProblem, run: Run, optimum: float = NAN) -> Row:
    """Attack, and write down what came of it."""
    variant = VARIANTS[run.variant]
    options = {**variant.options, **run.options}
    if variant.is_rival:
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
    except Exception as error:  # a benchmark keeps failures in
        return _failed(problem, run, f"error: {type(error).__name__}: {error}", optimum)
    value = attained_value(problem, found.norm, found.deviation, found.proved)
    own = attained_value(problem, found.own.norm, found.own.deviation, found.baseline.proved)
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
        improvements=_improvements(problem, found),
    )


def _corners(problem: BilevelProblem) -> int:
    """Return how many corners to draw: all many times if they are few, else until time is up."""
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


def attained_value(problem: BilevelProblem, size: float, deviation: float, proved: bool) -> float:
    """Return the value of an answer; that of no attack if it is none, or its labels not proved."""
    if not (proved and problem.is_attack(size, deviation)):
        return no_value(problem)
    return problem.value(size, deviation)


def _improvements(problem: BilevelProblem, found: Attack) -> str:
    parts, best = [], no_value(problem)
    for seen in found.history:
        value = attained_value(problem, seen.size, seen.deviation, seen.proved)
        if better(problem, value, best):
            best = value
            parts.append(f"{seen.seconds:.3f}:{value:.9g}")
    return " ".join(parts)


def better(problem: BilevelProblem, value: float, other: float) -> bool:
    """Whether a value beats another."""
    return value < other if problem.sense == "min" else value > other


def improvements(row: Row) -> list[tuple[float, float]]:
    """Return the (seconds, value) at which the run found something better."""
    pairs = [part.split(":") for part in row.improvements.split()]
    return [(float(seconds), float(value)) for seconds, value in pairs]


def value_at(problem: BilevelProblem, row: Row, seconds: float) -> float:
    """Return the best value that the run had found by then."""
    values = [value for when, value in improvements(row) if when <= seconds]
    return values[-1] if values else no_value(problem)


def time_to(
    problem: BilevelProblem, row: Row, enough: Callable[[BilevelProblem, Row], bool]
) -> float:
    """Return the seconds a run took, infinity if it was not enough.

    A simple search goes on until it is stopped: it is charged the time to its last improvement.
    """
    if not enough(problem, row):
        return float("inf")
    if VARIANTS[row.variant].is_rival:
        return improvements(row)[-1][0]
    return row.seconds
