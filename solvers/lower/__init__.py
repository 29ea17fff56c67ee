"""The lower level: convex clustering at fixed data."""

from bilad.solvers.lower.cluster import LOWER_METHODS, cluster
from bilad.solvers.lower.result import Clustering

__all__ = ["LOWER_METHODS", "Clustering", "cluster"]
