"""IPOPT on a Pyomo model, opened once and solved many times."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from pyomo.common.collections import ComponentMap

from bilad.solvers.nlp.engine import Answer, Engine, Query
from bilad.solvers.nlp.engines import find_engine
from bilad.solvers.nlp.nl_model import NlModel
from bilad.solvers.nlp.result import NlpResult
from bilad.solvers.nlp.status import NlpStatus


class IpoptSession:
    """A Pyomo model opened for many solves by IPOPT.

    Between solves the *values* and the *bounds* of the variables may change, and nothing else that
    the active constraints and the objective reach, whichever block it lives in: fixed variables,
    parameters, expressions, what is active. A
    variable with equal bounds is a parameter to IPOPT: this is how a homotopy changes its `t`
    without building anything again.

    Parameters
    ----------
    model : pyomo.environ.ConcreteModel
        Continuous, with at most one active objective. Written once, now.
    options : mapping, optional
        IPOPT's own options by IPOPT's own names, such as {"tol": 1e-8, "max_iter": 500}; passed
        on unchanged. IPOPT is silent unless "print_level" is among them. An ipopt.opt in the
        working folder is not read.
    engine : {"auto", "executable", "casadi"} or Engine, default "auto"
        See `find_engine`.

    Raises
    ------
    ValueError
        Unknown engine; discrete variables; several objectives; special ordered sets,
        complementarity, constants that are not finite; with CasADi's engine, external functions;
        an option that IPOPT refuses (the executable tells only when it solves).
    EngineError
        No engine can run.

    Examples
    --------
    >>> import pyomo.environ as pyo
    >>> model = pyo.ConcreteModel()
    >>> model.t, model.x = pyo.Var(bounds=(1, 1)), pyo.Var()
    >>> model.cost = pyo.Objective(expr=(model.x - model.t) ** 2)
    >>> session = IpoptSession(model, engine="casadi")
    >>> session.solve().status.value, round(model.x.value, 6)
    ('optimal', 1.0)
    >>> model.t.setlb(0.5), model.t.setub(0.5)
    (None, None)
    >>> session.solve().status.value, round(model.x.value, 6)
    ('optimal', 0.5)
    """

    def __init__(
        self, model: Any, options: Mapping[str, Any] | None = None, engine: str | Engine = "auto"
    ) -> None:
        given = dict(options or {})
        if "option_file_name" in given:
            raise ValueError("options: give IPOPT's options themselves, not option_file_name")
        self._engine = find_engine(engine) if isinstance(engine, str) else engine
        self._model = NlModel(model)
        self._program = self._engine.open(self._model, given)

    @property
    def engine(self) -> str:
        """Name of the engine: "IPOPT executable" or "IPOPT in CasADi"."""
        return self._engine.name

    @property
    def version(self) -> str:
        """Version of IPOPT, such as "3.14.19"."""
        return self._engine.version

    def solve(self, time_limit: float | None = None, load: bool = True) -> NlpResult:
        """Solve from the current values between the current bounds; write the point back.

        Parameters
        ----------
        time_limit : float, optional
            Seconds of wall time for this solve, looked at once an iteration (processor time with
            an executable older than 3.14). Without it, only the options limit the time.
        load : bool, default True
            Write the point into the model; otherwise every variable keeps its value and its stale
            flag, and the point is in the result only.

        Returns
        -------
        NlpResult
            See there for the signs of the multipliers. When there is no point, the variables
            keep their values. A start that is not finite ends in `NlpStatus.INVALID_NUMBER`.

        Raises
        ------
        ValueError
            Something changed that is a constant in the written model; crossed bounds; a time
            limit that is not positive; an option that IPOPT refuses.
        EngineError
            The engine broke down, or gave an answer that cannot be read.
        """
        if time_limit is not None and not time_limit > 0:
            raise ValueError(f"time_limit: expected a positive number, given {time_limit!r}")
        began = time.perf_counter()
        self._model.check()
        answer = self._answer(time_limit)
        objective = self._write_back(answer, load)
        return self._result(answer, objective, time.perf_counter() - began)

    def _answer(self, time_limit: float | None) -> Answer:
        lower, upper = self._model.bounds()
        start = self._model.start(lower, upper)
        wild = np.flatnonzero(~np.isfinite(start))
        if wild.size:
            name = self._model.variables[wild[0]].name
            return Answer(NlpStatus.INVALID_NUMBER, f"{name} starts at {start[wild[0]]}")
        return self._program.solve(Query(start, lower, upper, time_limit))

    def _write_back(self, answer: Answer, load: bool) -> float | None:
        """Objective at the answer's point, which is then in the model; None without a point."""
        if answer.x is None or not np.isfinite(answer.x).all():
            return None
        before = self._model.state()
        self._model.store(answer.x)
        objective = self._model.objective_value()
        if load and math.isfinite(objective):
            return objective
        self._model.restore(before)
        return objective if math.isfinite(objective) else None

    def _result(self, answer: Answer, objective: float | None, seconds: float) -> NlpResult:
        values, duals, reduced_costs = ComponentMap(), ComponentMap(), ComponentMap()
        if objective is not None and answer.x is not None:
            values.update(zip(self._model.variables, answer.x.tolist(), strict=True))
        if objective is not None and answer.duals is not None:
            duals.update(zip(self._model.constraints, answer.duals.tolist(), strict=True))
        if objective is not None and answer.reduced_costs is not None:
            costs = answer.reduced_costs.tolist()
            reduced_costs.update(zip(self._model.variables, costs, strict=True))
        lost = objective is None and answer.x is not None  # it has a point that is not finite
        status = NlpStatus.INVALID_NUMBER if lost else answer.status
        return NlpResult(
            status=status,
            objective=objective,
            iterations=answer.iterations,
            seconds=seconds,
            engine=self._engine.name,
            version=self._engine.version,
            message=answer.message,
            values=values,
            duals=duals,
            reduced_costs=reduced_costs,
        )
