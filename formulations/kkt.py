"""KKT reformulation: the lower level replaced by its optimality conditions, an MPCC.

Stationarity, and for each edge the complementarities of `edge_terms`, relaxed by a method chosen
by name. For p = 2 the form u_e = tau_e z_e, 0 <= tau_e _|_ 1 - ||z_e||^2 >= 0, though smoother, is
not used: its multipliers diverge.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

import pyomo.environ as pyo

from bilad.formulations.complementarity import RELAXATIONS
from bilad.formulations.stationary import StationaryFormulation
from bilad.models.bilevel import BilevelProblem
from bilad.models.validation import FloatArray, IntArray, one_of


class KKTFormulation(StationaryFormulation):
    """The MPCC of one bilevel problem.

    Parameters
    ----------
    problem, labels, X, kernel
        As in `SingleLevel`.
    relaxation : str
        A name of `RELAXATIONS`: "scholtes", "fischer-burmeister", "kanzow-schwartz",
        "steffensen-ulbrich" or "penalty".

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        As in `StationaryFormulation`, and `relaxed[e, r]`, the r-th complementarity of edge e (not
        for "penalty", which has them in the objective). `t` has no unit.
    relaxation : Relaxation
    """

    choices: ClassVar[Mapping[str, Collection[Any]]] = {
        **StationaryFormulation.choices,
        "relaxation": RELAXATIONS,
    }

    def __init__(
        self,
        problem: BilevelProblem,
        labels: IntArray,
        X: FloatArray,
        *,
        relaxation: str = "scholtes",
        kernel: str = "rational",
    ) -> None:
        self.relaxation = RELAXATIONS[one_of(relaxation, "relaxation", RELAXATIONS)]
        super().__init__(problem, labels, X, kernel=kernel)

    def _add_complementarity(self) -> None:
        model = self.model
        if self.relaxation.needs_sides:
            self.edges.add_sides()
        self.pairs = {
            (e, r): pair
            for e in self.ends
            for r, pair in enumerate(self.edges.complementarities(e))
        }
        if not self.relaxation.penalised:
            model.relaxed = pyo.Constraint(
                list(self.pairs),
                rule=lambda m, e, r: self.relaxation.body(self.pairs[e, r], m.t) <= 0,
            )

    def payment(self, scale: float) -> Any:
        """Return the exact penalty: per edge, `scale` over the number of edges at product t."""
        if not self.relaxation.penalised:
            return 0.0
        t = self.model.t
        total = pyo.quicksum(self.relaxation.body(pair, t) for pair in self.pairs.values())
        return scale / max(len(self.ends), 1) * total
