"""Attacks by derivatives of a smoothed deviation, carried to eps through the lower level."""

from bilad.solvers.upper.gradient import fgsm, hypergradient, mi_fgsm, pgd
from bilad.solvers.upper.gradient.landscape import refusal
from bilad.solvers.upper.method import FunctionMethod, UpperMethod

GRADIENT: dict[str, UpperMethod] = {
    "hypergradient": FunctionMethod(refusal, hypergradient.prepare, needs_white_box=True),
    "fgsm": FunctionMethod(refusal, fgsm.prepare, needs_white_box=True),
    "pgd": FunctionMethod(refusal, pgd.prepare, needs_white_box=True),
    "mi-fgsm": FunctionMethod(refusal, mi_fgsm.prepare, needs_white_box=True),
}

__all__ = ["GRADIENT"]
