"""Solvers for the lower level: convex clustering with fixed data and weights."""

from bilad.solvers.clustering.cluster import cluster
from bilad.solvers.clustering.methods import LOWER_METHODS
from bilad.solvers.clustering.path import ClusterPath, NoDendrogramError, cluster_path
from bilad.solvers.clustering.result import Clustering

__all__ = [
    "LOWER_METHODS",
    "ClusterPath",
    "Clustering",
    "NoDendrogramError",
    "cluster",
    "cluster_path",
]
