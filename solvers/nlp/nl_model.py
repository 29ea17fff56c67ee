"""A Pyomo model written once as AMPL's .nl, with the map back to its components.

Columns of the file are `variables`, rows are `constraints`, in that order.
"""

from __future__ import annotations

import io
import math
import re
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.repn.plugins.nl_writer import NLWriter

from bilad.solvers.nlp.written_constants import WrittenConstants

FloatArray = NDArray[np.float64]

# A .nl text is cut at its segments x (start), r (sides of the rows) and b (bounds).
START, SIDES, BOUNDS = re.compile(r"^x\d", re.MULTILINE), "\nr\n", "\nb\n"
SEGMENT = re.compile(r"^(?=[FSVCLOdxrbkJG])", re.MULTILINE)
INFINITE = re.compile(r"^(?:n|\d+ |\d+ \S+ )-?(?:nan|inf)$", re.MULTILINE)


class NlModel:
    """The .nl text of a Pyomo model, and what may and may not change after it was written.

    Values and bounds of the variables in the file may change. Everything else that the active
    constraints and the objective reach is a constant in the file, wherever it lives: `check`
    refuses a model in which it changed.

    Parameters
    ----------
    model : pyomo.environ.Block
        Continuous, with at most one active objective.

    Attributes
    ----------
    head, sides, tail : str
        The text without start and bounds, which every solve gives anew: what stands before the
        start, between start and bounds, and after the bounds.
    variables, constraints : list
        Pyomo's components of the columns and of the rows.
    libraries : list of str
        Paths of the libraries of external functions.

    Raises
    ------
    ValueError
        More than one active objective, a discrete variable, a special ordered set, a
        complementarity, a constant that is not finite, or a model that Pyomo's writer refuses.
    """

    def __init__(self, model: Any) -> None:
        objectives = list(model.component_data_objects(pyo.Objective, active=True))
        if len(objectives) > 1:
            names = ", ".join(objective.name for objective in objectives)
            raise ValueError(f"model: expected at most one active objective, given {names}")
        self.objective = objectives[0] if objectives else None
        for ordered_set in model.component_data_objects(pyo.SOSConstraint, active=True):
            raise ValueError(
                f"model: IPOPT takes no special ordered set; {ordered_set.name} is one"
            )
        self._constants = WrittenConstants(model)
        info, text = _write(model)
        self.variables, self.constraints = list(info.variables), list(info.constraints)
        self.libraries = list(info.external_function_libraries)
        self._refuse_what_ipopt_cannot_take()
        sides, bounds = text.index(SIDES) + 1, text.index(BOUNDS) + 1
        start = START.search(text)
        self.head = text[: start.start() if start else sides]
        self.sides = text[sides:bounds]
        # One line a variable follows the key of the bounds.
        self.tail = text[bounds:].split("\n", 1 + len(self.variables))[-1]
        self._refuse_what_ipopt_cannot_take()
        self._refuse_infinite_constants()

    @property
    def sense(self) -> int:
        """1 to minimise, -1 to maximise."""
        return 1 if self.objective is None or self.objective.sense == pyo.minimize else -1

    def check(self) -> None:
        """Refuse a model in which something changed that the file holds as a constant.

        Raises
        ------
        ValueError
            Names the component, and the mend.
        """
        self._constants.check(self.variables)

    def component_with(self, line: re.Pattern[str]) -> str | None:
        """Name of the first component in whose written expression a line matches, if any does."""
        for segment in SEGMENT.split(self.head + self.sides + self.tail)[1:]:
            found = line.search(segment)
            if found and segment[0] in "VCOJGr":
                return self._owner(segment, segment.count("\n", 0, found.start()))
        return None

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Current bounds of the variables: two arrays of shape (n,), infinite where absent.

        Raises
        ------
        ValueError
            Bounds between which there is no number: names the variable.
        """
        pairs = [variable.bounds for variable in self.variables]
        lower = np.array([-math.inf if low is None else low for low, _ in pairs], dtype=np.float64)
        upper = np.array([math.inf if up is None else up for _, up in pairs], dtype=np.float64)
        crossed = np.flatnonzero(~((lower <= upper) & (lower < np.inf) & (upper > -np.inf)))
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

    def state(self) -> list[tuple[float | None, bool]]:
        """Value and stale flag of each variable, for `restore`."""
        return [(variable.value, variable.stale) for variable in self.variables]

    def restore(self, state: list[tuple[float | None, bool]]) -> None:
        """Give the variables back the values and stale flags that they had."""
        for variable, (value, stale) in zip(self.variables, state, strict=True):
            variable.set_value(value, skip_validation=True)
            variable.stale = stale

    def objective_value(self) -> float:
        """Objective at the current values, in the model's own sense; NaN where undefined."""
        if self.objective is None:
            return 0.0
        value = pyo.value(self.objective, exception=False)
        return math.nan if value is None or isinstance(value, complex) else float(value)

    def _refuse_what_ipopt_cannot_take(self) -> None:
        for variable in self.variables:
            if not variable.is_continuous():
                raise ValueError(f"model: IPOPT needs continuous variables; {variable.name} is not")
        for row in self.constraints:
            if hasattr(row, "_complementarity"):
                mend = "transform the model with mpec.simple_nonlinear instead of mpec.nl"
                raise ValueError(
                    f"model: IPOPT takes no complementarity, such as {row.name}; {mend}"
                )

    def _refuse_infinite_constants(self) -> None:
        if any(map(INFINITE.search, (self.head, self.sides, self.tail))):
            name = self.component_with(INFINITE)
            if name is not None:
                raise ValueError(f"{name}: expected finite constants, given NaN or infinity")

    def _owner(self, segment: str, line: int) -> str:
        """Name of the component that a segment of the .nl text, or a line of its sides, is of."""
        key, numbers = segment[0], segment[1:].split("\n", 1)[0].split()
        if key == "r":
            return str(self.constraints[line - 1].name)
        if key in "CJ":
            return str(self.constraints[int(numbers[0])].name)
        if key == "V":
            # A defined variable: of one row, of the objective, or (0) of several.
            row = int(numbers[2])
            if row == 0:
                return str(self.component_with(re.compile(f"^v{numbers[0]}$", re.MULTILINE)))
            if row <= len(self.constraints):
                return str(self.constraints[row - 1].name)
        return str(getattr(self.objective, "name", "the objective"))


def _write(model: Any) -> tuple[Any, str]:
    try:
        return _written(model)
    except Exception as error:  # Pyomo's writer raises many types, some of them RuntimeErrors
        cause = error
    # Not in the handler above: within one, Pyomo's writer does not mind a NaN.
    name = _unwritable(model) or "the model"
    raise ValueError(f"model: Pyomo cannot write {name}: {cause}") from cause


def _written(model: Any) -> tuple[Any, str]:
    stream = io.StringIO()
    # Presolve would remove variables whose bounds a homotopy moves, and lose their multipliers.
    info = NLWriter().write(model, stream, linear_presolve=False, scale_model=False)
    return info, stream.getvalue()


def _unwritable(model: Any) -> str | None:
    """Name of the first constraint or objective that cannot be written alone, if there is one."""
    for kind in (pyo.Objective, pyo.Constraint):
        for component in model.component_data_objects(kind, active=True):
            alone = pyo.ConcreteModel()
            alone.only = kind(expr=component.expr)
            try:
                _written(alone)
            except Exception:
                return str(component.name)
    return None
