"""The scaling of a bilevel problem for NLP and MIP solvers.

The learning model is brought to its normal form, and eps is divided by the radius. The absolute
tolerances of the solvers then have the same meaning for all data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bilad.models.learning.learning_model import NormalForm, Solution, normal_form
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray


@dataclass(frozen=True)
class Scaling:
    """A problem, the scaled problem, and the maps between them.

    Attributes
    ----------
    given, problem : BilevelProblem
        The user's problem, and the scaled one.
    form : NormalForm
        The normal form of the learning model.
    """

    given: BilevelProblem
    problem: BilevelProblem
    form: NormalForm

    @classmethod
    def of(cls, problem: BilevelProblem) -> Scaling:
        """Scale a problem."""
        form = normal_form(problem.model)
        return cls(problem, problem.normalised(form), form)

    def scale_eps(self, eps: FloatArray) -> FloatArray:
        """Return the user's eps divided by the radius."""
        return self.problem.project(eps / self.given.radius)

    def unscale_eps(self, eps: FloatArray) -> FloatArray:
        """Return eps in the user's units, projected on the user's ball."""
        return self.given.project(eps * self.given.radius)

    def scale_solution(self, solution: Solution) -> Any:
        """Return a solution of the user's lower level in the variables of the scaled problem."""
        return self.form.into(solution)

    def unscale_state(self, state: FloatArray) -> FloatArray:
        """Return a state of the scaled problem in the user's units."""
        return self.form.out(state)
