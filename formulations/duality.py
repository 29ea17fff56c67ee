"""Duality reformulation: primal and dual feasibility, and no duality gap.

Given stationarity, primal minus dual objective is  sum_e r_e (||u_e||_p - <z_e, u_e>),  a sum of
Fenchel-Young gaps, each nonnegative. Relaxed edge by edge, or in sum as the literature does; the
sum leaves the lower level freer at the same t. For p = 2 an edge has one complementarity, whose
product is its gap: relaxed edge by edge, this is the KKT reformulation by Scholtes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

import pyomo.environ as pyo

from bilad.models.clustering_problem import clustering_of
from bilad.formulations.stationary import StationaryFormulation
from bilad.models.bilevel import BilevelProblem
from bilad.models.validation import FloatArray, IntArray


class DualityFormulation(StationaryFormulation):
    """Strong duality of the lower level, relaxed.

    Parameters
    ----------
    problem, labels, X, kernel
        As in `SingleLevel`.
    aggregate : bool
        Relax the sum of the gaps and not each.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        As in `StationaryFormulation`, and `fenchel_young[e]`, gap_e <= t unit; or, aggregated,
        `gap_share[i]` (`gap_by_point[i]`), the weighted gaps of the edges that begin at point i,
        and `duality_gap`, their sum at most t unit sum_e r_e.
    """

    choices: ClassVar[Mapping[str, Collection[Any]]] = {
        **StationaryFormulation.choices,
        "aggregate": (False, True),
    }

    def __init__(
        self,
        problem: BilevelProblem,
        labels: IntArray,
        X: FloatArray,
        *,
        aggregate: bool = False,
        kernel: str = "rational",
    ) -> None:
        self._relax = self._relax_sum if aggregate else self._relax_each
        super().__init__(problem, labels, X, kernel=kernel)

    def _add_complementarity(self) -> None:
        self._relax()

    def _relax_each(self) -> None:
        self.model.fenchel_young = pyo.Constraint(
            self.model.edges, rule=lambda m, e: self.edges.gap(e) / self.unit <= m.t
        )

    def _relax_sum(self) -> None:
        model = self.model
        leaving: dict[int, list[int]] = {}
        for e, (i, _) in self.ends.items():
            leaving.setdefault(i, []).append(e)
        model.gap_share = pyo.Var(list(leaving), initialize=0.0)
        total = float(clustering_of(self.problem).radii.sum())
        # Point by point, to keep the rows short.
        model.gap_by_point = pyo.Constraint(
            list(leaving),
            rule=lambda m, i: (
                pyo.quicksum(self.radii[e] * self.edges.gap(e) for e in leaving[i])
                <= m.gap_share[i] * total * self.unit
            ),
        )
        model.duality_gap = pyo.Constraint(
            expr=pyo.quicksum(model.gap_share[i] for i in leaving) <= model.t
        )
