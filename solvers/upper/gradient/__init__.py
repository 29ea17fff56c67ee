"""Attacks by derivatives of a smoothed deviation, carried to eps through the lower level."""

from bilad.solvers.upper.gradient import fgsm, hypergradient, mi_fgsm, pgd
from bilad.solvers.upper.gradient.landscape import refusal
from bilad.solvers.upper.method import FunctionMethod, UpperMethod

GRADIENT: dict[str, UpperMethod] = {
    "hypergradient": FunctionMethod(refusal, hypergradient.prepare, ("adjoint",)),
    "fgsm": FunctionMethod(refusal, fgsm.prepare, ("adjoint",)),
    "pgd": FunctionMethod(refusal, pgd.prepare, ("adjoint",)),
    "mi-fgsm": FunctionMethod(refusal, mi_fgsm.prepare, ("adjoint",)),
}

__all__ = ["GRADIENT"]
