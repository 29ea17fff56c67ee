"""The result of an attack, which is the same for all methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bilad.models.deviation import renamed
from bilad.models.frame import point_frame
from bilad.models.learning.learning_model import LearningModel, Solution
from bilad.models.learning.predictor import predictor
from bilad.models.problem import BilevelProblem
from bilad.models.representation import Represented
from bilad.models.scatter_plot import BESIDE, ScatterPlot, axes_or_new
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.bilevel.oracle import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


@dataclass(frozen=True, repr=False)
class Stage(Represented):
    """One solve of a reformulation or a MILP, and the evaluation of its eps.

    Attributes
    ----------
    name : str
        Description of the stage, such as its relaxation parameter and smoothing width.
    claimed : float or None
        Value of the objective of the reformulation.
    eps : ndarray, shape (k,)
        The eps at the end of the stage, projected on the problem's ball.
    deviation : float
        U(eps), recomputed from the lower-level solution; for the norm "count" at the rounded eps.
    engine_status : str
        Status of the solver, which is no certificate for the bilevel problem.
    iterations : int
    seconds : float
    lower_gap : float or None
        Relative duality gap of the lower-level variables of the reformulation at this eps; None if
        there are none.
    violation : float or None
        The largest relaxed complementarity product, or the violation of the value-function bound,
        at the point of the reformulation.
    blocks : int or None
        The number of blocks of rows that the reformulation holds equal; None without contraction.
    writing, opening : float
        Seconds in which the model was written in Pyomo, and opened in IPOPT, before this stage; 0
        if it was open.
    evaluating : float or None
        The part of `seconds` spent in functions and derivatives; the rest is linear algebra. None
        if the solver does not report it.
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
    blocks: int | None = None
    writing: float = 0.0
    opening: float = 0.0
    evaluating: float | None = None


@dataclass(frozen=True, repr=False)
class Point(Represented):
    """An eps, shape (k,), with its norm and its deviation; all are zero if there is no attack."""

    eps: FloatArray
    norm: float
    deviation: float


@dataclass(frozen=True, repr=False)
class Attack(Represented):
    """The best perturbation that a method found.

    Attributes
    ----------
    problem : BilevelProblem
    method : str
    eps : ndarray, shape (k,)
        Zero if no attack was found.
    norm : float
        ||eps|| in the problem's norm.
    deviation : float
        U(eps), recomputed from the lower-level solution at eps.
    baseline, solution : Solution
        Solutions at 0 and at eps; the second is recomputed to high accuracy if there was time.
        They are of the class `Answer`, which contains an outcome only, if the model is a black box,
        and also (not proved) if a limit, an interrupt or an error preceded the solution at 0.
    own : Point
        The best of the points that the method returned, without closing; for a reformulation, the
        best of its stages and never a start. With the same seed and limits on solves it is the same
        for every value of `closing`.
    closing : {"none", "ray", "search"}
        The argument of `attack`.
    closing_solves : int
        Number of lower-level solves of closing, a part of `lower_solves`.
    closing_seconds : float
        Time of closing, a part of `seconds`.
    bound : float or None
        Proved upper (BL1) or lower (BL2) bound on the optimum: that of the method, or that of the
        learning model, such as from pairs of points that no eps can separate or fuse. The bound of
        "exact" holds for A + eps V in exact arithmetic; rounding of this sum can decide a tie
        differently. The bound of "milp" and a status derived from it hold up to the
        tolerances of HiGHS, 1e-9 in scaled variables; with `coincidences=False` it does not hold
        for some eps, and no status is derived from it. A bound that the attack itself contradicts
        is omitted.
    margin : float or None
        Distance by which eps may change in either direction without a change of the deviation. The
        method "exact" computes it in exact arithmetic and rounds it down; it is 0 if eps is a
        breakpoint. None if it is not known, or without an attack.
    status : str
        What is proved about the result, for every termination: "optimal" (the bound is
        attained, for (BL2) and for continuous deviations within the relative tolerance
        `bilad.models.problem.LENGTH_TOL`); "feasible" (an attack, which
        may not be optimal); "unproved" (the outcome at 0 is not proved, or that at eps was proved
        when the attack was found but not in the recomputation, or "exact" knows the optimum but no
        floating-point number that it evaluated attains it); "no attack found"; or "no attack
        exists" (proved by the bound).
    termination : str
        The reason why the search ended: "converged", "solve limit", "time limit", "interrupted", or
        "error: ..." with the type and the message of the exception.
    lower_solves : int
        Number of lower-level solves without that at eps = 0.
    undecided : int
        Number of the solves whose labels could not be proved; they never count as attacks.
    seconds : float
    seconds_solving : float
        Time in the learning model, a part of `seconds`, with the first and the last solve.
    seconds_bounding : float
        Time of the computation of the bound, which `seconds` does not include.
    history : tuple of Evaluation
        The evaluations of all eps that were solved, in order. For the norm "count" they are binary;
        `lower_solves` also counts the solves of gradient methods and formulations in between.
    stages : tuple of Stage
        The solves of a reformulation, in order.
    engine : str or None
        Name and version of the nonlinear solver, if one was used.
    """

    problem: BilevelProblem
    method: str
    eps: FloatArray
    norm: float
    deviation: float
    baseline: Solution
    solution: Solution
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
    history: tuple[Evaluation, ...]
    stages: tuple[Stage, ...]
    engine: str | None

    def summary(self) -> dict[str, Any]:
        """Return the status, the deviation, norm and bound, and how they were found."""
        names = ("status", "deviation", "norm", "bound", "proved", "eps", "method", "termination")
        return {name: getattr(self, name) for name in (*names, "lower_solves", "seconds")}

    def _content(self) -> dict[str, Any]:
        """Return all attributes; of the solutions the outcomes, and of the history not each eps."""
        return {
            **super()._content(),
            "baseline": self.baseline.outcome,
            "solution": self.solution.outcome,
            "history": [
                {name: value for name, value in one.summary().items() if name != "eps"}
                for one in self.history
            ],
        }

    def to_frame(self) -> DataFrame:
        """Return one row for each point of the data: what the attack changes.

        The columns are

        - "label" and "attacked_label", the clusters at 0 and at eps, where those at eps are named
          so that fewest points change; or "prediction" and "attacked_prediction", what the
          parameters at 0 and at eps predict for the data at 0, which is -1 or 1 for a linear model.
          Both are left out if the model predicts nothing, or was not solved;
        - "changed", whether these two differ;
        - "target" and "attacked_target", if eps acts on the targets;
        - "moved", the Euclidean distance by which eps moves the point;
        - the features of the moved point, named as in `Clustering.to_frame`, with its index.
        """
        model, moved = self.problem.model, self._attacked
        columns: dict[str, Any] = {}
        if answers := self._answers():
            word, before, after = answers
            columns = {word: before, f"attacked_{word}": after, "changed": before != after}
        if "targets" in self.problem.perturbation.shapes:
            columns["target"] = model.parts["targets"]
            columns["attacked_target"] = moved.parts["targets"]
        columns["moved"] = np.linalg.norm(moved.data - model.data, axis=1)
        return point_frame(moved.data, model.feature_names, model.index, columns)

    @property
    def _attacked(self) -> LearningModel:
        return self.problem.perturbation.apply(self.problem.model, self.eps)

    def _answers(self) -> tuple[str, np.ndarray, np.ndarray] | None:
        """Return "label" or "prediction" with the answers for all points before and after."""
        model, solutions = self.problem.model, (self.baseline, self.solution)
        if any(one.status == "unknown" for one in solutions):
            return None
        if model.outcomes == "labels":
            return "label", self.baseline.outcome, renamed(self.baseline.outcome, self.labels)
        if not predictor.supports(model):
            return None
        before, after = (predictor(model).predict(one.outcome, model.data) for one in solutions)
        return "prediction", before, after

    def plot(self, ax: Axes | None = None, features: Sequence[int | str] | None = None) -> Axes:
        """Draw the data at eps, coloured by what the model answers there, and how they moved.

        A grey line leads to each point from its place at eps = 0. Points whose cluster or
        prediction changes are encircled.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Default: the axes of a new figure.
        features : pair of int or str, optional
            The features to draw, as in `Clustering.plot`. By default the two that move most.

        Raises
        ------
        ArgumentError
            If an argument is something else.
        """
        from matplotlib.collections import LineCollection

        model, moved = self.problem.model, self._attacked.data
        if features is None:
            lengths = np.abs(moved - model.data).sum(axis=0)
            features = sorted(np.argsort(-lengths, kind="stable")[:2].tolist())
        plot = ScatterPlot.of(model, features, ax)
        word, before, after = self._answers() or ("points", np.zeros(model.n), np.zeros(model.n))
        ends = plot.coordinates(model.data), plot.coordinates(moved)
        lines = LineCollection(list(np.stack(ends, axis=1)), colors="grey", linewidths=0.8)
        plot.axes.add_collection(lines)
        plot.draw(moved, after, word)
        changed = ends[1][before != after]
        style: dict[str, Any] = {"s": 70, "facecolors": "none", "edgecolors": "black"}
        plot.axes.scatter(*changed.T, **style, label=f"changed ({len(changed)})")
        plot.axes.legend(**BESIDE)
        plot.axes.set_title(f"deviation {self.deviation:.6g}, norm {self.norm:.6g}")
        return plot.axes

    def plot_history(self, ax: Axes | None = None) -> Axes:
        """Draw the objective of every eps that was solved, and the best attack so far.

        The objective is the deviation (BL1) or the norm (BL2). An eps that is no attack, or whose
        outcome is not proved, is drawn in grey; the proved bound is a dashed line.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Default: the axes of a new figure.

        Raises
        ------
        ArgumentError
            If `ax` is something else.
        """
        problem, axes = self.problem, axes_or_new(ax)
        values = np.array([problem.value(one.size, one.deviation) for one in self.history])
        counts = np.array([one.solves for one in self.history])
        attacks = [
            one.proved and problem.is_attack(one.size, one.deviation) for one in self.history
        ]
        valid = np.array(attacks, dtype=bool)
        axes.scatter(counts[~valid], values[~valid], s=8, color="lightgrey", label="no attack")
        axes.scatter(counts[valid], values[valid], s=8, color="tab:blue", label="attack")
        if valid.any():
            better = np.maximum if problem.sense == "max" else np.minimum
            best = better.accumulate(values[valid])
            axes.step(counts[valid], best, where="post", color="tab:blue", label="best so far")
        if self.bound is not None and np.isfinite(self.bound):
            axes.axhline(self.bound, color="black", linestyle="--", label="proved bound")
        word = "deviation" if problem.sense == "max" else "norm of eps"
        axes.set(xlabel="lower-level solves", ylabel=word)
        axes.legend(**BESIDE)
        return axes

    @property
    def labels(self) -> IntArray:
        """Cluster of each point at eps, shape (n,), if the outcomes of the model are labels.

        Raises
        ------
        TypeError
            If the outcomes are parameters, which `outcome` returns.
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
        """Relative duality gap of the recomputed solution at eps; None for a black box."""
        return self.solution.gap

    @property
    def claimed(self) -> float | None:
        """Objective of the reformulation at the stage closest to eps; None without stages.

        It is a smooth deviation for (BL1), and a measure of eps for (BL2).
        """
        if not self.stages:
            return None
        distances = [float(np.linalg.norm(stage.eps - self.eps)) for stage in self.stages]
        return self.stages[int(np.argmin(distances))].claimed

    @property
    def proved(self) -> bool:
        """Whether the outcomes at 0 and at eps, and thus the deviation, are proved."""
        return all(map(self.problem.is_proved, (self.baseline, self.solution)))
