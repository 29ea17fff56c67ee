"""Bilevel models written in Pyomo: their solution, its verification, and its stationarity."""

from bilad.solvers.followers import pyomo_plugin as _pyomo_plugin  # noqa: F401  registers names
from bilad.solvers.followers.result import BilevelSolution, BilevelStage
from bilad.solvers.followers.solve import BilevelComparison, compare_bilevel, solve_bilevel

__all__ = [
    "BilevelComparison",
    "BilevelSolution",
    "BilevelStage",
    "compare_bilevel",
    "solve_bilevel",
]
