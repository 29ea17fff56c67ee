"""Bilevel models written in Pyomo: their solution, its verification, and its stationarity."""

from bilad.solvers.followers import pyomo_plugin as _pyomo_plugin  # noqa: F401  registers names
from bilad.solvers.followers.comparison import BilevelComparison, compare_bilevel
from bilad.solvers.followers.result import BilevelSolution, BilevelStage
from bilad.solvers.followers.solve import solve_bilevel
from bilad.solvers.followers.stationarity import MpccStationarity, mpcc_stationarity

__all__ = [
    "BilevelComparison",
    "BilevelSolution",
    "BilevelStage",
    "MpccStationarity",
    "compare_bilevel",
    "mpcc_stationarity",
    "solve_bilevel",
]
