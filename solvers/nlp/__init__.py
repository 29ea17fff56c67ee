"""Nonlinear programming: Pyomo models solved by the IPOPT of this machine."""

from bilad.solvers.nlp import pyomo_plugin as _pyomo_plugin  # noqa: F401  registers "bilad_ipopt"
from bilad.solvers.nlp.engine import EngineError
from bilad.solvers.nlp.ipopt import IpoptSession, find_engine
from bilad.solvers.nlp.pyomo_session import PyomoSession
from bilad.solvers.nlp.result import NlpResult, NlpStatus

__all__ = ["EngineError", "IpoptSession", "NlpResult", "NlpStatus", "PyomoSession", "find_engine"]
