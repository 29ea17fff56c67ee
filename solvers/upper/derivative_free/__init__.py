"""Derivative-free methods on the true staircase, all behind one signature and one merit."""

from bilad.solvers.upper.derivative_free import (
    cma_es,
    controlled_random_search,
    differential_evolution,
    dividing_rectangles,
    finite_difference,
    nes,
    nomad,
    trust_region,
)
from bilad.solvers.upper.method import FunctionMethod, UpperMethod, takes_every

DERIVATIVE_FREE: dict[str, UpperMethod] = {
    "finite-difference": FunctionMethod(takes_every, finite_difference.prepare),
    "differential-evolution": FunctionMethod(takes_every, differential_evolution.prepare),
    "dividing-rectangles": FunctionMethod(takes_every, dividing_rectangles.prepare),
    "cobyqa": FunctionMethod(takes_every, trust_region.prepare_cobyqa),
    "cobyla": FunctionMethod(takes_every, trust_region.prepare_cobyla),
    "cma": FunctionMethod(takes_every, cma_es.prepare),
    "nes": FunctionMethod(takes_every, nes.prepare),
    "nomad": FunctionMethod(nomad.refusal, nomad.prepare),
    "nlopt-crs": FunctionMethod(controlled_random_search.refusal, controlled_random_search.prepare),
}

__all__ = ["DERIVATIVE_FREE"]
