"""The same problem, rewritten for a modelling language."""

from bilad.formulations.conic import ConicProgram

__all__ = ["ConicProgram"]
