"""What one solve leaves to the next on the same graph: factorisations and the penalty."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.fusion_graph import FusionGraph
from bilad.models.validation import BoolArray, FloatArray
from bilad.solvers.clustering.ssnal.linear_systems import Edges, System
from bilad.solvers.clustering.ssnal.newton import NewtonSystem, newton_system


class Workspace:
    """Linear systems for the edges of positive capacity of one graph, made when first asked for.

    Parameters
    ----------
    model : ConvexClustering
    masses : ndarray, shape (n,), optional
        Of the points: 1/2 sum_i masses_i ||x_i - a_i||^2 is then what a solve with this workspace
        minimises, besides the fusion terms. Default 1.

    Attributes
    ----------
    edges : Edges
    penalties : list of float
        s of the last subproblem solved, one for each problem that the model falls into.
    """

    def __init__(self, model: ConvexClustering, masses: FloatArray | None = None) -> None:
        self._graph: FusionGraph = model.graph
        self._kind = model.p, model.d
        self.kept: BoolArray = model.radii > 0
        i, j = np.ascontiguousarray(model.graph.edges[self.kept].T)
        self.edges = Edges(model.n, i, j, np.ones(model.n) if masses is None else masses)
        self.penalties: list[float] = []

    def fits(self, model: ConvexClustering) -> bool:
        """Whether it serves another model: the same norm and edges of positive capacity.

        Edges are the same if they are one array, as after `FusionGraph.with_weights`.
        """
        same = model.graph.edges is self._graph.edges and (model.p, model.d) == self._kind
        return same and np.array_equal(model.radii > 0, self.kept)

    @cached_property
    def point_system(self) -> System:
        """M + B' diag(sigma) B."""
        return System(self.edges, 1)

    @cached_property
    def newton_system(self) -> NewtonSystem:
        """The Newton system of SSNAL."""
        p, d = self._kind
        return newton_system(self.edges, 1 if p == 1 else d, p == 2)

    @property
    def remark(self) -> str:
        """Say what did not go as planned; empty if nothing."""
        made = [self.__dict__.get("point_system")]
        if "newton_system" in self.__dict__:
            made += self.newton_system.systems
        if any(system is not None and system.failed for system in made):
            return "a factorisation failed; conjugate gradients took its place"
        return ""
