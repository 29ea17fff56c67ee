"""Radii that are theorems: no perturbation within them changes the partition."""

from bilad.solvers.certificates.robustness.exact_radius import ExactRadius, exact_radius
from bilad.solvers.certificates.robustness.radius import CertifiedRadius, certified_radius

__all__ = ["CertifiedRadius", "ExactRadius", "certified_radius", "exact_radius"]
