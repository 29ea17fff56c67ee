"""Greedy attack for the norm "count", such as flips of labels."""

from __future__ import annotations

import numpy as np

from bilad.models.learning.learning_model import Answer
from bilad.models.problem import COUNT, BilevelProblem
from bilad.models.smooth_deviation import width_unit
from bilad.models.validation import FloatArray
from bilad.solvers.bilevel.oracle import Evaluation, LowerLevel
from bilad.solvers.bilevel.trace import Runner, Trace

WIDTH = 0.3  # of the smooth form, in units of `width_unit`


def refusal(problem: BilevelProblem) -> str | None:
    """Return the reason why the method cannot be applied to the problem, or None."""
    return None if problem.is_binary else f"it is for problems with the norm {COUNT!r}"


def prepare(problem: BilevelProblem, rng: np.random.Generator) -> Runner:
    """Set one entry of eps at a time to one, for the norm "count" (such as flips of labels).

    Each time it is the entry with which the deviation is largest; the model is trained for every
    candidate. A deviation that counts is equal for many candidates, and its smooth form then
    decides. (BL1) ends when the budget is used, (BL2) when the target is reached.

    References
    ----------
    Paudice, Munoz-Gonzalez and Lupu, Label sanitization against label flipping poisoning attacks,
    ECML PKDD Workshops, 2018, whose attack this is. Earlier attacks do not train for every
    candidate: Biggio, Nelson and Laskov, Support vector machines under adversarial label noise,
    ACML 2011; Xiao, Xiao and Eckert, Adversarial label flips attack on support vector machines,
    ECAI 2012.
    """

    def run(lower: LowerLevel, trace: Trace) -> None:
        eps, most = np.zeros(problem.perturbation.dim), int(problem.radius)
        smooth = _SmoothForm(lower)
        for size in range(most):
            ranked = []
            for entry in rng.permutation(np.flatnonzero(eps == 0)):
                candidate = eps.copy()
                candidate[entry] = 1.0
                seen = lower.evaluate(candidate)
                if seen.proved:
                    ranked.append((seen.deviation, smooth.value(candidate), seen))
            if not ranked:
                return
            best: Evaluation = max(ranked, key=lambda one: one[:2])[2]
            eps = best.eps
            trace.progress(size + 1, most)
            if problem.sense == "min" and lower.counts(best):
                return

    return run


class _SmoothForm:
    """The smooth form of the deviation at one width; 0 for a black box, and if there is none."""

    def __init__(self, lower: LowerLevel) -> None:
        self._lower = lower
        self._deviation, baseline = None, lower.baseline
        if lower.problem.deviation.is_smooth and not isinstance(baseline, Answer):
            self._deviation = lower.problem.deviation.smoothed(baseline.outcome)
            self._width = WIDTH * width_unit(
                self._deviation, baseline.state, lower.problem.model.data
            )

    def value(self, eps: FloatArray) -> float:
        """Return the value at an eps that was just evaluated."""
        if self._deviation is None:
            return 0.0
        return self._deviation.at(self._lower.solve(eps).state, self._width)[0]
