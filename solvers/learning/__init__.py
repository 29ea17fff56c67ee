"""Solvers of the linear learning models, and what they register as capabilities."""

from bilad.solvers.learning import capabilities as _capabilities  # noqa: F401 (registers)
from bilad.solvers.learning.fit import fit

__all__ = ["fit"]
