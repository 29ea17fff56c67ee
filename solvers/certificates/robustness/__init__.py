"""Radii and bounds that are theorems: no perturbation within them changes the partition."""

from bilad.solvers.certificates.robustness.radius import CertifiedRadius, certified_radius

__all__ = ["CertifiedRadius", "certified_radius"]
