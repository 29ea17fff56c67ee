"""The frame in which a single-level model is solved: the normal form, and eps within 1.

NLP and MIP solvers have absolute tolerances; in this frame these mean the same for all data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bilad.models.learning.learning_model import NormalForm, Solution, normal_form
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray


@dataclass(frozen=True)
class Frame:
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
    def of(cls, problem: BilevelProblem) -> Frame:
        """Normalise a problem."""
        form = normal_form(problem.model)
        return cls(problem, problem.normalised(form), form)

    def eps_into(self, eps: FloatArray) -> FloatArray:
        """Return the user's eps in units of the radius."""
        return self.problem.project(eps / self.given.radius)

    def eps_out(self, eps: FloatArray) -> FloatArray:
        """Return eps in the user's units, within the user's ball."""
        return self.given.project(eps * self.given.radius)

    def solution_into(self, solution: Solution) -> Any:
        """Return a solution of the user's lower level in the frame."""
        return self.form.into(solution)

    def state_out(self, state: FloatArray) -> FloatArray:
        """Return a state of the frame in the user's units."""
        return self.form.out(state)
