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
from bilad.solvers.upper.derivative_free.restarts import refusal
from bilad.solvers.upper.method import FunctionMethod, UpperMethod

DERIVATIVE_FREE: dict[str, UpperMethod] = {
    "finite-difference": FunctionMethod(refusal, finite_difference.prepare),
    "differential-evolution": FunctionMethod(refusal, differential_evolution.prepare),
    "dividing-rectangles": FunctionMethod(refusal, dividing_rectangles.prepare),
    "cobyqa": FunctionMethod(refusal, trust_region.prepare_cobyqa),
    "cobyla": FunctionMethod(refusal, trust_region.prepare_cobyla),
    "cma": FunctionMethod(refusal, cma_es.prepare),
    "nes": FunctionMethod(refusal, nes.prepare),
    "nomad": FunctionMethod(nomad.refusal, nomad.prepare),
    "nlopt-crs": FunctionMethod(controlled_random_search.refusal, controlled_random_search.prepare),
}

__all__ = ["DERIVATIVE_FREE"]
