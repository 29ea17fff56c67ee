"""Factorisations and penalties that one solve leaves to the next one on the same graph."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.fusion_graph import FusionGraph
from bilad.models.validation import BoolArray
from bilad.solvers.clustering.ssnal.linear_systems import Edges, System
from bilad.solvers.clustering.ssnal.newton import NewtonSystem, newton_system


class Workspace:
    """Linear systems for the edges of positive capacity of one graph, made when first used.

    Parameters
    ----------
    model : ConvexClustering

    Attributes
    ----------
    positive : ndarray of bool, shape (edges of the graph,)
        Which edges have positive capacity.
    edges : Edges
        The ends of these edges.
    penalties : list of float
        The penalty factor s of the last subproblem solved, one for each problem into which the
        model separates.
    """

    def __init__(self, model: ConvexClustering) -> None:
        self._graph: FusionGraph = model.graph
        self._kind = model.p, model.d
        self.positive: BoolArray = model.radii > 0
        i, j = np.ascontiguousarray(model.graph.edges[self.positive].T)
        self.edges = Edges(model.n, i, j)
        self.penalties: list[float] = []

    def fits(self, model: ConvexClustering) -> bool:
        """Whether another model has the same norm and the same edges of positive capacity.

        Edges are the same if they are one array, as after `FusionGraph.with_weights`.
        """
        same = model.graph.edges is self._graph.edges and (model.p, model.d) == self._kind
        return same and np.array_equal(model.radii > 0, self.positive)

    @cached_property
    def point_system(self) -> System:
        """The system with I + B' diag(sigma) B, one unknown for each point."""
        return System(self.edges, 1)

    @cached_property
    def newton_system(self) -> NewtonSystem:
        """The Newton system of SSNAL."""
        p, d = self._kind
        return newton_system(self.edges, 1 if p == 1 else d, p == 2)

    @property
    def remark(self) -> str:
        """A note if a factorisation failed; empty otherwise."""
        made = [self.__dict__.get("point_system")]
        if "newton_system" in self.__dict__:
            made += self.newton_system.systems
        if any(system is not None and system.failed for system in made):
            return "a factorisation failed; conjugate gradients took its place"
        return ""
