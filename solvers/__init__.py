"""How a problem is solved: the lower level at fixed data, and attacks on it."""

from bilad.solvers.estimator import ConvexClusterer
from bilad.solvers.lower import Clustering, cluster
from bilad.solvers.upper import Attack, LowerLevel, attack

__all__ = ["Attack", "Clustering", "ConvexClusterer", "LowerLevel", "attack", "cluster"]
