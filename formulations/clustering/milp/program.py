"""The MILP of convex clustering as the upper level uses it: program, cells, and empty cells."""

from __future__ import annotations

from bilad.formulations.clustering.milp.closed_cell import ClosedCell
from bilad.formulations.clustering.milp.difference_bounds import DifferenceBounds
from bilad.formulations.clustering.milp.formulation import MilpFormulation, refusal
from bilad.formulations.clustering.milp.margin import MarginProgram
from bilad.models.learning.clustering_normal_form import ScaledClustering
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.learning_model import write_milp
from bilad.models.problem import BilevelProblem


@write_milp.register(ConvexClustering, refusal)
class ClusteringMilp:
    """The MILP of one problem.

    Parameters
    ----------
    model : ConvexClustering
        That of the problem.
    problem : BilevelProblem
        In normal form, so that the solver's absolute tolerances are relative.
    baseline : ScaledClustering
        Its solution at eps = 0.
    coincidences : bool
        As in `MilpFormulation`.

    Attributes
    ----------
    formulation : MilpFormulation
    """

    def __init__(
        self,
        model: ConvexClustering,
        problem: BilevelProblem,
        baseline: ScaledClustering,
        coincidences: bool,
    ) -> None:
        bounds = DifferenceBounds(problem, baseline.X, baseline.distance_bound)
        self._problem = problem
        self.formulation = MilpFormulation(problem, baseline.labels, bounds, coincidences)

    def cell(self) -> ClosedCell:
        """Return the cell of the current values."""
        return ClosedCell(self._problem, self.formulation.cell())

    def margin_program(self) -> MarginProgram:
        """Return the program that decides whether a cell is empty."""
        return MarginProgram(self.formulation)
