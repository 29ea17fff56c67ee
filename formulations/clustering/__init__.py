"""Convex clustering in Pyomo and CVXPY: what replaces it in a single-level model, and itself."""

from bilad.formulations.clustering import duality, kkt, value_function
from bilad.formulations.clustering.milp import clustering_milp

__all__ = ["clustering_milp", "duality", "kkt", "value_function"]  # importing them registers them
