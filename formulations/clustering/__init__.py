"""Convex clustering in Pyomo and CVXPY: what replaces it in a single-level model, and itself."""

from bilad.formulations.clustering import duality, kkt, value_function
from bilad.formulations.clustering.milp import program

__all__ = ["duality", "kkt", "program", "value_function"]  # importing them registers them
