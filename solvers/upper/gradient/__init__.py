"""Gradient methods, which maximise a smoothed deviation through the lower level's derivative."""

from bilad.solvers.upper.gradient.methods import (
    GradientMethod,
    fgsm,
    hypergradient,
    mi_fgsm,
    pgd,
)
from bilad.solvers.upper.method import UpperMethod

GRADIENT: dict[str, UpperMethod] = {
    "hypergradient": GradientMethod(hypergradient),
    "fgsm": GradientMethod(fgsm),
    "pgd": GradientMethod(pgd),
    "mi-fgsm": GradientMethod(mi_fgsm),
}

__all__ = ["GRADIENT"]
