"""Nonlinear programming: one adapter to IPOPT, whichever IPOPT the machine has."""

from bilad.solvers.nlp import pyomo_plugin as _pyomo_plugin  # noqa: F401  registers "bilad_ipopt"
from bilad.solvers.nlp.engines import find_engine
from bilad.solvers.nlp.errors import EngineError
from bilad.solvers.nlp.ipopt import IpoptSession
from bilad.solvers.nlp.result import NlpResult
from bilad.solvers.nlp.status import NlpStatus

__all__ = ["EngineError", "IpoptSession", "NlpResult", "NlpStatus", "find_engine"]
