"""Convex clustering: its reformulations in Pyomo, and the lower level itself in CVXPY."""

from bilad.formulations.clustering import duality, kkt, value_function
from bilad.formulations.clustering.milp import program

__all__ = ["duality", "kkt", "program", "value_function"]  # imported to register them
