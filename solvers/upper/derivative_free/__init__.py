"""Derivative-free methods, which minimise one merit function of the true deviation."""

from functools import partial

from bilad.solvers.upper.derivative_free.evolution_strategies import cma_es, natural_evolution
from bilad.solvers.upper.derivative_free.method import DerivativeFreeMethod
from bilad.solvers.upper.derivative_free.optional_dependencies import (
    controlled_random_search,
    mesh_adaptive_search,
    needs,
)
from bilad.solvers.upper.derivative_free.scipy_methods import (
    differential_evolution_search,
    dividing_rectangles,
    finite_differences,
    trust_region,
)
from bilad.solvers.upper.method import UpperMethod

DERIVATIVE_FREE: dict[str, UpperMethod] = {
    "finite-difference": DerivativeFreeMethod(finite_differences),
    "differential-evolution": DerivativeFreeMethod(differential_evolution_search),
    "dividing-rectangles": DerivativeFreeMethod(dividing_rectangles),
    "cobyqa": DerivativeFreeMethod(partial(trust_region, "COBYQA")),
    "cobyla": DerivativeFreeMethod(partial(trust_region, "COBYLA")),
    "cma": DerivativeFreeMethod(cma_es),
    "nes": DerivativeFreeMethod(natural_evolution),
    "nomad": DerivativeFreeMethod(mesh_adaptive_search, needs("PyNomad", "PyNomadBBO")),
    "nlopt-crs": DerivativeFreeMethod(controlled_random_search, needs("nlopt", "NLopt")),
}

__all__ = ["DERIVATIVE_FREE"]
