"""A Pyomo model written once as AMPL's .nl, with the map back to its components.

Columns of the file are `variables`, rows are `constraints`, in that order.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.repn.plugins.nl_writer import NLWriter

FloatArray = NDArray[np.float64]


class NlModel:
    """The .nl text of a Pyomo model, and what may and may not change after it was written.

    Values and bounds of the variables in the file may change. Fixed variables and parameters are
    constants in the file: `check` refuses a model in which they changed.

    Parameters
    ----------
    model : pyomo.environ.ConcreteModel
        Continuous, with at most one active objective.

    Raises
    ------
    ValueError
        More than one active objective, or a variable with a discrete domain.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        objectives = list(model.component_data_objects(pyo.Objective, active=True))
        if len(objectives) > 1:
            names = ", ".join(objective.name for objective in objectives)
            raise ValueError(f"model: expected at most one active objective, given {names}")
        self.objective = objectives[0] if objectives else None
        self.text, self.variables, self.constraints = _write(model)
        for variable in self.variables:
            if not variable.is_continuous():
                raise ValueError(f"model: IPOPT needs continuous variables; {variable.name} is not")
        self._fixed = [
            (variable, variable.fixed, variable.value if variable.fixed else None)
            for variable in model.component_data_objects(pyo.Var)
        ]
        self._parameters = [(p, p.value) for p in _mutable_parameters(model)]
        self._active = _active_constraints(model)

    @property
    def sense(self) -> int:
        """1 to minimise, -1 to maximise."""
        return 1 if self.objective is None or self.objective.sense == pyo.minimize else -1

    def check(self) -> None:
        """Refuse a model in which something changed that the file holds as a constant.

        An expression that was replaced in place is not noticed.

        Raises
        ------
        ValueError
            Names the component, and the mend.
        """
        mend = "use a Var with equal bounds for what changes between solves, or open a new session"
        for variable, fixed, value in self._fixed:
            if variable.fixed != fixed:
                change = "fixed" if variable.fixed else "unfixed"
                raise ValueError(f"{variable.name} was {change} after the session opened; {mend}")
            if fixed and variable.value != value:
                raise ValueError(f"fixed {variable.name} changed after the session opened; {mend}")
        for parameter, value in self._parameters:
            if parameter.value != value:
                raise ValueError(f"{parameter.name} changed after the session opened; {mend}")
        if _active_constraints(self.model) != self._active:
            raise ValueError("the active constraints changed; open a new session")
        if self.objective is not None and not self.objective.active:
            raise ValueError("the active objective changed; open a new session")

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Current bounds of the variables: two arrays of shape (n,), infinite where absent.

        Raises
        ------
        ValueError
            A lower bound above the upper one: names the variable.
        """
        pairs = [variable.bounds for variable in self.variables]
        lower = np.array([-math.inf if low is None else low for low, _ in pairs], dtype=np.float64)
        upper = np.array([math.inf if up is None else up for _, up in pairs], dtype=np.float64)
        crossed = np.flatnonzero(~(lower <= upper))
        if crossed.size:
            j = crossed[0]
            given = f"given [{lower[j]}, {upper[j]}]"
            raise ValueError(f"{self.variables[j].name}: expected lower <= upper bound, {given}")
        return lower, upper

    def start(self, lower: FloatArray, upper: FloatArray) -> FloatArray:
        """Current values, shape (n,); where there is none, 0 projected into the bounds."""
        values = [variable.value for variable in self.variables]
        given = np.array([math.nan if v is None else v for v in values], dtype=np.float64)
        missing = np.array([v is None for v in values], dtype=bool)
        start: FloatArray = np.where(missing, np.clip(0.0, lower, upper), given)
        return start

    def store(self, x: FloatArray) -> None:
        """Write a point, shape (n,), into the variables."""
        for variable, value in zip(self.variables, x.tolist(), strict=True):
            variable.set_value(value, skip_validation=True)

    def objective_value(self) -> float:
        """Objective at the current values, in the model's own sense; NaN where undefined."""
        if self.objective is None:
            return 0.0
        value = pyo.value(self.objective, exception=False)
        return math.nan if value is None or isinstance(value, complex) else float(value)


def _write(model: Any) -> tuple[str, list[Any], list[Any]]:
    stream = io.StringIO()
    # Presolve would remove variables whose bounds a homotopy moves, and lose their multipliers.
    info = NLWriter().write(model, stream, linear_presolve=False, scale_model=False)
    return stream.getvalue(), list(info.variables), list(info.constraints)


def _mutable_parameters(model: Any) -> list[Any]:
    return [
        parameter
        for component in model.component_objects(pyo.Param)
        if component.mutable
        for parameter in component.values()
    ]


def _active_constraints(model: Any) -> frozenset[int]:
    return frozenset(map(id, model.component_data_objects(pyo.Constraint, active=True)))
