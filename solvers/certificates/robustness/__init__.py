"""Radii and bounds that are theorems: what no perturbation within a budget changes."""

from bilad.solvers.certificates.robustness.bounds import (
    deviation_bound,
    norm_bound,
    optimum_bound,
)
from bilad.solvers.certificates.robustness.exact_radius import ExactRadius, exact_radius
from bilad.solvers.certificates.robustness.pairs import SettledPairs, settled_pairs
from bilad.solvers.certificates.robustness.radius import CertifiedRadius, certified_radius

__all__ = [
    "CertifiedRadius",
    "ExactRadius",
    "SettledPairs",
    "certified_radius",
    "deviation_bound",
    "exact_radius",
    "norm_bound",
    "optimum_bound",
    "settled_pairs",
]
