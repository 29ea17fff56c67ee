"""IPOPT for Pyomo models: the choice of an engine, and sessions of many solves."""

from __future__ import annotations

import shutil
import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from pyomo.common.collections import ComponentMap

from bilad.models.validation import ArgumentError, FloatArray, one_of, seconds_limit
from bilad.solvers.nlp.engine import Answer, Engine, EngineError
from bilad.solvers.nlp.executable_engine import executable_engine
from bilad.solvers.nlp.nl_model import NlModel
from bilad.solvers.nlp.result import NlpResult, NlpStatus


def find_engine(engine: str = "auto", executable: str = "ipopt") -> Engine:
    """Find an IPOPT that runs on this machine.

    Parameters
    ----------
    engine : {"auto", "executable", "casadi"}, default "auto"
        "executable" is an executable on PATH, "casadi" is the IPOPT in the CasADi wheel, and "auto"
        is the first of the two that starts.
    executable : str, default "ipopt"
        The name of the executable on PATH, or its path.

    Returns
    -------
    Engine
        It has a `.name`, "IPOPT executable" or "IPOPT in CasADi", and IPOPT's `.version`.

    Raises
    ------
    ArgumentError
        If `engine` is another name.
    EngineError
        If the engine cannot run; the message says why, and how to install one.

    Warns
    -----
    RuntimeWarning
        If, with "auto", CasADi's IPOPT is used because the executable does not start, or because
        the one that `executable` names does not exist.
    """
    one_of(engine, "engine", ("auto", "executable", "casadi"))
    if engine == "executable":
        return executable_engine(executable)
    if engine == "auto" and (executable != "ipopt" or shutil.which(executable) is not None):
        try:
            return executable_engine(executable)
        except EngineError as error:
            warnings.warn(f"falling back to CasADi's IPOPT; {error}", RuntimeWarning, stacklevel=2)
    try:
        from bilad.solvers.nlp.casadi_engine import casadi_engine
    except ImportError as error:
        raise EngineError("IPOPT in CasADi", f"casadi cannot be imported ({error})") from error
    return casadi_engine()


class IpoptSession:
    """A Pyomo model that IPOPT solves many times.

    Between two solves, the *values* and the *bounds* of the variables may change. Nothing else that
    the active constraints and the objective depend on may change, whichever block it belongs to:
    fixed variables, parameters, expressions, and which components are active. A variable with equal
    bounds is a parameter for IPOPT; a continuation changes its parameter `t` in this way, and the
    model is not built again.

    Parameters
    ----------
    model : pyomo.environ.ConcreteModel
        Continuous, with at most one active objective. It is written now, once.
    options : mapping, optional
        IPOPT's options by IPOPT's names, such as {"tol": 1e-8, "max_iter": 500}. IPOPT prints
        nothing unless "print_level" is given, and does not read an ipopt.opt in the working folder.
    engine : {"auto", "executable", "casadi"} or Engine, default "auto"
        See `find_engine`.

    Raises
    ------
    ValueError
        If the engine is unknown, or IPOPT refuses an option (an executable reports this only when
        it solves); if the model has discrete variables, several objectives, special ordered sets,
        complementarity conditions, or constants that are not finite; or if it has external
        functions and the engine is CasADi's.
    EngineError
        If no engine can run.

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
        if not isinstance(options, Mapping | None):
            raise ArgumentError("options", type(options).__name__, "a mapping of IPOPT's options")
        given = dict(options or {})
        if "option_file_name" in given:
            raise ValueError("options: give IPOPT's options themselves, not option_file_name")
        self._engine = engine if isinstance(engine, Engine) else find_engine(engine)
        self._model = NlModel(model)
        self._program = self._engine.open(self._model, given)

    @property
    def engine(self) -> str:
        """The name of the engine: "IPOPT executable" or "IPOPT in CasADi"."""
        return self._engine.name

    @property
    def version(self) -> str:
        """The version of IPOPT, such as "3.14.19"."""
        return self._engine.version

    def solve(self, time_limit: float | None = None, load: bool = True) -> NlpResult:
        """Solve from the current values within the current bounds.

        Parameters
        ----------
        time_limit : float, optional
            Wall time of this solve in seconds, checked once an iteration (an executable older than
            3.14 limits its processor time instead). By default only IPOPT's options limit the time.
        load : bool, default True
            Whether the point is written into the model. If not, every variable keeps its value and
            its stale flag, and only the result contains the point.

        Returns
        -------
        NlpResult
            If there is no point, the variables keep their values. A start that is not finite gives
            `NlpStatus.INVALID_NUMBER`.

        Raises
        ------
        ValueError
            If something changed that is constant in the written model, the bounds of a variable
            contain no number, the time limit is not positive, or IPOPT refuses an option.
        EngineError
            If the engine fails, or its answer is invalid.
        """
        seconds = seconds_limit(time_limit, "time_limit", above=0)
        began = time.perf_counter()
        self._model.check()
        answer = self._answer(seconds)
        status, objective = answer.status, None
        if answer.x is not None:
            if np.isfinite(answer.x).all():
                objective = self._model.objective_at(answer.x, load)
            status = NlpStatus.INVALID_NUMBER if objective is None else status
        point = Answer(status, answer.message) if objective is None else answer
        variables, constraints = self._model.variables, self._model.constraints
        return NlpResult(
            status=status,
            objective=objective,
            iterations=answer.iterations,
            seconds=time.perf_counter() - began,
            engine=self.engine,
            version=self.version,
            message=answer.message,
            values=_by_component(variables, point.x),
            duals=_by_component(constraints, point.duals),
            reduced_costs=_by_component(variables, point.reduced_costs),
            evaluating=answer.evaluating,
        )

    def _answer(self, time_limit: float) -> Answer:
        lower, upper = self._model.bounds()
        start = self._model.start(lower, upper)
        infinite = np.flatnonzero(~np.isfinite(start))
        if infinite.size:
            name = self._model.variables[infinite[0]].name
            return Answer(NlpStatus.INVALID_NUMBER, f"{name} starts at {start[infinite[0]]}")
        return self._program.solve(start, lower, upper, time_limit)


def _by_component(components: list[Any], numbers: FloatArray | None) -> ComponentMap:
    pairs = () if numbers is None else zip(components, numbers.tolist(), strict=True)
    return ComponentMap(pairs)
