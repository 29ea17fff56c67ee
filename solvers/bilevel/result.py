"""The result of an attack, the same whatever the method."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bilad.models.learning.learning_model import Solution
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.bilevel.oracle import Evaluation


@dataclass(frozen=True)
class Stage:
    """One solve of a reformulation: what it claimed, and what its eps really does.

    Attributes
    ----------
    name : str
        E.g. the relaxation parameter and the smoothing width.
    claimed : float or None
        Value of the reformulation's own objective.
    eps : ndarray, shape (k,)
        Where it stopped, projected on the problem's ball.
    deviation : float
        U(eps), recomputed from the lower level's solution.
    engine_status : str
        The engine's exit. Not a certificate of anything about the bilevel problem.
    iterations : int
    seconds : float
    lower_gap : float or None
        Relative duality gap of the reformulation's own x at this eps; None if it has no x.
    violation : float or None
        The largest relaxed complementarity product, or violation of the value-function bound, at
        the reformulation's own point.
    """

    name: str
    claimed: float | None
    eps: FloatArray
    deviation: float
    engine_status: str
    iterations: int
    seconds: float
    lower_gap: float | None = None
    violation: float | None = None


@dataclass(frozen=True)
class Point:
    """An eps, shape (k,), its norm, and its deviation; all zero without an attack."""

    eps: FloatArray
    norm: float
    deviation: float


@dataclass(frozen=True)
class Attack:
    """The best perturbation a method found.

    Attributes
    ----------
    problem : BilevelProblem
    method : str
    eps : ndarray, shape (k,)
        Zero if no attack was found.
    norm : float
        ||eps|| in the problem's norm.
    deviation : float
        U(eps), recomputed from the lower level's own solution at eps.
    baseline, solution : Solution
        Solutions at 0 and at eps, the second solved again to high accuracy if there was time;
        `Answer`, which has an outcome only, if the model is a black box, or (not proved) if a
        limit, an interrupt or an error came before the solution at 0.
    own : Point
        The best of the points that the method's own work returned: of a reformulation, of its
        stages, never a start. Closing changes nothing in it: it is the same for every `closing`,
        with one seed and limits on solves.
    closing : {"none", "ray", "search"}
        As asked for.
    closing_solves : int
        Of `lower_solves`, those of closing.
    closing_seconds : float
        Of `seconds`, those of closing.
    bound : float or None
        Bound on the optimum (upper for BL1, lower for BL2): the method's own, or that of the pairs
        that no eps can flip, which is a theorem. That of "exact" is for A + eps V in exact
        arithmetic; rounding that sum to doubles can tip a tie. That of "milp" is proved up to the
        tolerances of HiGHS, 1e-9 in unit scale, in floating point, and so is a status that follows
        from it; with `coincidences=False` it leaves out some eps, and no status rests on it. A
        bound that the attack itself refutes is dropped.
    margin : float or None
        How far eps may move along the ray, either way, and the deviation stays: known to "exact",
        in exact arithmetic and rounded down; 0 if eps is a single point. None if it is not known,
        or without an attack.
    status : str
        What is known of the answer, whatever ended the search: "optimal" (bound met; for (BL2)
        within `bilad.models.problem.LENGTH_TOL`), "feasible" (an attack, no claim of optimality),
        "unproved" (its labels were proved when it was found, but not by the last solve; or "exact"
        knows the optimum, but no double that it tried attains it, as where that is a single point
        between two doubles), "no attack found", or "no attack exists" (the bound says so).
    termination : str
        What ended the search: "converged", "solve limit", "time limit", "interrupted" or "error:
        ..." with the type and the message of what was raised.
    lower_solves : int
        Lower-level solves spent, the one at eps = 0 not counted.
    undecided : int
        How many of these had labels that could not be proved; they never count as attacks.
    seconds : float
    seconds_solving : float
        Of these, spent in the learning model, the solve at eps = 0 and the last one included.
    seconds_bounding : float
        Spent on the bound; not among `seconds`.
    history : tuple of Evaluation
        Every eps solved, in order.
    stages : tuple of Stage
        Solves of a reformulation, in order.
    engine : str or None
        Name and version of the nonlinear solver, if one was used.
    """

    problem: BilevelProblem
    method: str
    eps: FloatArray
    norm: float
    deviation: float
    baseline: Solution = field(repr=False)
    solution: Solution = field(repr=False)
    own: Point
    closing: str
    closing_solves: int
    closing_seconds: float
    bound: float | None
    margin: float | None
    status: str
    termination: str
    lower_solves: int
    undecided: int
    seconds: float
    seconds_solving: float
    seconds_bounding: float
    history: tuple[Evaluation, ...] = field(repr=False)
    stages: tuple[Stage, ...] = field(repr=False)
    engine: str | None

    @property
    def labels(self) -> IntArray:
        """Cluster of each point at eps: shape (n,); of models whose outcomes are labels.

        Raises
        ------
        TypeError
            If they are parameters: see `outcome`.
        """
        if self.problem.model.outcomes != "labels":
            raise TypeError(f"{type(self.problem.model).__name__} gives no labels; see `outcome`")
        labels: IntArray = self.solution.outcome
        return labels

    @property
    def outcome(self) -> Any:
        """Outcome of the learning model at eps: labels, shape (n,), or parameters."""
        return self.solution.outcome

    @property
    def gap(self) -> float | None:
        """Relative duality gap of the solution at eps, solved again; None of a black box."""
        return self.solution.gap

    @property
    def claimed(self) -> float | None:
        """What the reformulation claimed at the stage that came nearest to eps; None without one.

        For (BL1) a smooth deviation, for (BL2) a measure of eps: compare it with nothing but the
        value recomputed.
        """
        if not self.stages:
            return None
        distances = [float(np.linalg.norm(stage.eps - self.eps)) for stage in self.stages]
        return self.stages[int(np.argmin(distances))].claimed

    @property
    def proved(self) -> bool:
        """Whether the labels at 0 and at eps, and so the deviation, are proved."""
        return self.baseline.proved and self.solution.proved
