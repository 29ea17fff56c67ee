"""Every step of the partition along a ray: exact where the norm separates, bracketed elsewhere."""

from bilad.solvers.staircase.best import RayAnswer, largest_deviation, least_perturbation
from bilad.solvers.staircase.bracketed import BracketedSteps, bracketed_steps
from bilad.solvers.staircase.staircase import Staircase, staircase

__all__ = [
    "BracketedSteps",
    "RayAnswer",
    "Staircase",
    "bracketed_steps",
    "largest_deviation",
    "least_perturbation",
    "staircase",
]
