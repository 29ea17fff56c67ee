"""How a problem is solved: the lower level at fixed data, and attacks on it."""

from bilad.solvers.bilevel.stationarity import Stationarity, stationarity
from bilad.solvers.certificates import bounds as _bounds  # noqa: F401 (registers bounds)
from bilad.solvers.certificates import linear_models as _linear  # noqa: F401 (registers bounds)
from bilad.solvers.certificates.counterexample import CounterexampleError, check_counterexample
from bilad.solvers.certificates.recovery_gammas import (
    ExactInterval,
    exact_recovery_interval,
    is_recovered,
)
from bilad.solvers.certify import Certificate, certify
from bilad.solvers.clustering import (
    Clustering,
    ClusterPath,
    LowerComparison,
    NoDendrogramError,
    Suggestion,
    UnfinishedGridError,
    capabilities,  # noqa: F401 (registers what it can do)
    cluster,
    cluster_path,
    compare_lower,
    gamma_grid,
)
from bilad.solvers.clustering.estimator import ConvexClusterer
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.followers import (
    BilevelComparison,
    BilevelSolution,
    MpccStationarity,
    compare_bilevel,
    mpcc_stationarity,
    solve_bilevel,
)
from bilad.solvers.learning import fit
from bilad.solvers.nlp import EngineError
from bilad.solvers.upper import (
    Attack,
    DroppedEdges,
    DroppedPoints,
    LowerLevel,
    attack,
    drop_edges,
    drop_points,
    register_method,
)
from bilad.solvers.upper.deviation_properties import PropertyCheck, Violation, find_violation

__all__ = [
    "Attack",
    "BilevelComparison",
    "BilevelSolution",
    "Certificate",
    "ClusterPath",
    "Clustering",
    "ConvexClusterer",
    "CounterexampleError",
    "DroppedEdges",
    "DroppedPoints",
    "EngineError",
    "ExactInterval",
    "LowerComparison",
    "LowerLevel",
    "MpccStationarity",
    "NoDendrogramError",
    "PropertyCheck",
    "Stationarity",
    "Suggestion",
    "UnfinishedGridError",
    "UnsupportedError",
    "Violation",
    "attack",
    "certify",
    "check_counterexample",
    "cluster",
    "cluster_path",
    "compare_bilevel",
    "compare_lower",
    "drop_edges",
    "drop_points",
    "exact_recovery_interval",
    "find_violation",
    "fit",
    "gamma_grid",
    "is_recovered",
    "mpcc_stationarity",
    "register_method",
    "solve_bilevel",
    "stationarity",
]
