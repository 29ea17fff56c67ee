"""The lower level: convex clustering at fixed data."""

from bilad.solvers.lower.cluster import cluster
from bilad.solvers.lower.methods import LOWER_METHODS
from bilad.solvers.lower.path import ClusterPath, NoDendrogramError, cluster_path
from bilad.solvers.lower.result import Clustering

__all__ = [
    "LOWER_METHODS",
    "ClusterPath",
    "Clustering",
    "NoDendrogramError",
    "cluster",
    "cluster_path",
]
