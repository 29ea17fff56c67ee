"""Solvers for the lower level: convex clustering with fixed data and weights."""

from bilad.solvers.clustering.cluster import cluster
from bilad.solvers.clustering.comparison import LowerComparison, compare_lower
from bilad.solvers.clustering.gamma_grid import UnfinishedGridError, gamma_grid
from bilad.solvers.clustering.methods import LOWER_METHODS
from bilad.solvers.clustering.path import ClusterPath, NoDendrogramError, cluster_path
from bilad.solvers.clustering.result import Clustering
from bilad.solvers.clustering.suggestion import Suggestion

__all__ = [
    "LOWER_METHODS",
    "ClusterPath",
    "Clustering",
    "LowerComparison",
    "NoDendrogramError",
    "Suggestion",
    "UnfinishedGridError",
    "cluster",
    "cluster_path",
    "compare_lower",
    "gamma_grid",
]
