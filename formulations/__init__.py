"""Single-level reformulations of bilevel problems, as Pyomo and CVXPY models."""

from bilad.formulations import clustering, learning  # noqa: F401 (registers learning models)
from bilad.formulations.clustering.conic import ConicProgram
from bilad.formulations.complementarity import Complementarity, register_relaxation
from bilad.formulations.follower import Follower
from bilad.formulations.reformulations import DUALITY, KKT, VALUE_FUNCTION, Formulation
from bilad.formulations.single_level import SingleLevel

__all__ = [
    "DUALITY",
    "KKT",
    "VALUE_FUNCTION",
    "Complementarity",
    "ConicProgram",
    "Follower",
    "Formulation",
    "SingleLevel",
    "register_relaxation",
]
