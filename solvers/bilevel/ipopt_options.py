"""IPOPT's options for single-level models, checked before any work starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyomo.environ as pyo

from bilad.models.validation import ArgumentError
from bilad.solvers.nlp import IpoptSession

# By default MUMPS permutes large entries to the diagonal. Edge differences have none there, and
# delayed pivots then cause fill-in: single factorisations took seconds instead of milliseconds.
MUMPS = {"mumps_permuting_scaling": 0}


def try_engine(options: Mapping[str, Any]) -> None:
    """Start IPOPT with the given options on a problem with one variable.

    Raises
    ------
    EngineError
        If IPOPT cannot be started.
    ArgumentError
        If IPOPT refuses an option.
    """
    model = pyo.ConcreteModel()
    model.x = pyo.Var(bounds=(-1, 1), initialize=0.5)
    model.goal = pyo.Objective(expr=model.x**2)
    try:
        IpoptSession(model, options)
    except ValueError as error:
        raise ArgumentError("ipopt_options", str(error), "options that IPOPT takes") from error
