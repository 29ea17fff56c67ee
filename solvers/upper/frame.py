"""The frame in which a reformulation is solved: centred data of unit spread, eps within 1.

NLP and MIP solvers have absolute tolerances; in this frame these mean the same for all data.
"""

from __future__ import annotations

from dataclasses import dataclass

from bilad.models.clustering_problem import clustering_of
from bilad.models.bilevel import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.upper.learner import Solution, solved


@dataclass(frozen=True)
class Frame:
    """A problem, the same problem normalised, and the way between them.

    Attributes
    ----------
    given, problem : BilevelProblem
        The user's, and the normalised one.
    centre : ndarray, shape (d,)
    unit : float
        Of the data, in the user's units.
    """

    given: BilevelProblem
    problem: BilevelProblem
    centre: FloatArray
    unit: float

    @classmethod
    def of(cls, problem: BilevelProblem) -> Frame:
        """Normalise a problem."""
        _, centre, unit = clustering_of(problem).standardised()
        return cls(problem, problem.normalised(), centre, unit)

    def eps_into(self, eps: FloatArray) -> FloatArray:
        """Return the user's eps in units of the radius."""
        return self.problem.project(eps / self.given.radius)

    def eps_out(self, eps: FloatArray) -> FloatArray:
        """Return eps in the user's units, within the user's ball."""
        return self.given.project(eps * self.given.radius)

    def solution_into(self, solution: Solution) -> tuple[FloatArray, FloatArray]:
        """Return X and Z of the user's lower level in the frame."""
        clustering = solved(solution)
        return (clustering.X - self.centre) / self.unit, clustering.Z / self.unit
