"""The scaling in which a single-level model is solved: the normal form, and eps within 1.

NLP and MIP solvers have absolute tolerances; in this scaling these mean the same for all data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bilad.models.bilevel import BilevelProblem
from bilad.models.learning_model import NormalForm, Solution, normal_form
from bilad.models.validation import FloatArray


@dataclass(frozen=True)
class Scaling:
    """A problem, the same problem normalised, and the way between them.

    Attributes
    ----------
    given, problem : BilevelProblem
        The user's, and the normalised one.
    form : NormalForm
        Of the learning model.
    """

    given: BilevelProblem
    problem: BilevelProblem
    form: NormalForm

    @classmethod
    def of(cls, problem: BilevelProblem) -> Scaling:
        """Normalise a problem."""
        form = normal_form(problem.model)
        return cls(problem, problem.normalised(form), form)

    def scale_eps(self, eps: FloatArray) -> FloatArray:
        """Return the user's eps in units of the radius."""
        return self.problem.project(eps / self.given.radius)

    def unscale_eps(self, eps: FloatArray) -> FloatArray:
        """Return eps in the user's units, within the user's ball."""
        return self.given.project(eps * self.given.radius)

    def scale_solution(self, solution: Solution) -> Any:
        """Return a solution of the user's lower level in the scaling."""
        return self.form.into(solution)

    def unscale_state(self, state: FloatArray) -> FloatArray:
        """Return a state of the scaling in the user's units."""
        return self.form.out(state)
