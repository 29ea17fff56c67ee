"""A Pyomo model written once in AMPL's .nl format, and the map back to its components.

The columns of the file are `variables` and its rows are `constraints`, in this order.
"""

from __future__ import annotations

import io
import math
import re
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.core.base.block import BlockData
from pyomo.repn.plugins.nl_writer import NLWriter

from bilad.models.validation import ArgumentError, FloatArray
from bilad.solvers.nlp.written_constants import WrittenConstants

# A .nl text is cut at its segments x (start), r (sides of the constraints) and b (bounds).
START, SIDES, BOUNDS = re.compile(r"^x\d", re.MULTILINE), "\nr\n", "\nb\n"
SEGMENT = re.compile(r"^(?=[FSVCLOdxrbkJG])", re.MULTILINE)
INFINITE = re.compile(r"^(?:n|\d+ |\d+ \S+ )-?(?:nan|inf)$", re.MULTILINE)


class NlModel:
    """The .nl text of a Pyomo model.

    The values and the bounds of its variables may change after it was written. Everything else
    that the active constraints and the objective depend on is constant in the file, whichever block
    it belongs to; `check` refuses a model in which it changed.

    Parameters
    ----------
    model : pyomo.environ.Block
        Continuous, with at most one active objective.

    Attributes
    ----------
    head, sides, tail : str
        The text before the start, between the start and the bounds, and after the bounds. Each
        solve supplies start and bounds.
    variables, constraints : list
        The Pyomo components of the columns and of the rows.
    libraries : list of str
        Paths of the libraries of external functions.

    Raises
    ------
    ValueError
        If `model` is not a Pyomo model; if it has several active objectives, a discrete variable, a
        special ordered set, a complementarity condition, or a constant that is not finite; or if
        Pyomo cannot write it.
    """

    def __init__(self, model: Any) -> None:
        if not isinstance(model, BlockData):
            raise ArgumentError("model", type(model).__name__, "a Pyomo model, or a block of one")
        objectives = list(model.component_data_objects(pyo.Objective, active=True))
        if len(objectives) > 1:
            names = ", ".join(objective.name for objective in objectives)
            raise ValueError(f"model: expected at most one active objective, given {names}")
        self.objective = objectives[0] if objectives else None
        for ordered_set in model.component_data_objects(pyo.SOSConstraint, active=True):
            raise ValueError(
                f"model: IPOPT cannot treat the special ordered set {ordered_set.name}"
            )
        self._constants = WrittenConstants(model)
        info, text = _write(model)
        self.variables, self.constraints = list(info.variables), list(info.constraints)
        self.libraries = list(info.external_function_libraries)
        self._refuse_what_ipopt_cannot_treat()
        sides, bounds = text.index(SIDES) + 1, text.index(BOUNDS) + 1
        start = START.search(text)
        self.head = text[: start.start() if start else sides]
        self.sides = text[sides:bounds]
        # The key of the bounds is followed by one line for each variable.
        self.tail = text[bounds:].split("\n", 1 + len(self.variables))[-1]
        if any(map(INFINITE.search, (self.head, self.sides, self.tail))):
            name = self.component_with(INFINITE)
            if name is not None:
                raise ValueError(f"{name}: expected finite constants, given NaN or infinity")

    @property
    def sense(self) -> int:
        """1 to minimise, -1 to maximise."""
        return 1 if self.objective is None or self.objective.sense == pyo.minimize else -1

    def check(self) -> None:
        """Refuse a model in which something changed that is constant in the file.

        Raises
        ------
        ValueError
            If something changed; the message names the component and the remedy.
        """
        self._constants.check(self.variables)

    def component_with(self, line: re.Pattern[str]) -> str | None:
        """Return the name of the first component with a matching line in the text, or None."""
        for segment in SEGMENT.split(self.head + self.sides + self.tail)[1:]:
            found = line.search(segment)
            if found and segment[0] in "VCOJGr":
                return self._owner(segment, segment.count("\n", 0, found.start()))
        return None

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the current bounds of the variables: two arrays of shape (n,), perhaps infinite.

        Raises
        ------
        ValueError
            If there is no number between the bounds of a variable; the message names it.
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
        """Return the current values, shape (n,); a missing value is 0 projected to the bounds."""
        values = [variable.value for variable in self.variables]
        given = np.array([math.nan if v is None else v for v in values], dtype=np.float64)
        missing = np.array([v is None for v in values], dtype=bool)
        start: FloatArray = np.where(missing, np.clip(0.0, lower, upper), given)
        return start

    def objective_at(self, x: FloatArray, load: bool) -> float | None:
        """Return the objective at a point, in the model's own sense; None where it is not finite.

        The point, of shape (n,), stays in the variables if `load` is true and the objective is
        finite there. Otherwise, the variables keep their values and stale flags.
        """
        before = [(variable.value, variable.stale) for variable in self.variables]
        for variable, number in zip(self.variables, x.tolist(), strict=True):
            variable.set_value(number, skip_validation=True)
        value = 0.0 if self.objective is None else pyo.value(self.objective, exception=False)
        undefined = value is None or isinstance(value, complex) or not math.isfinite(value)
        if undefined or not load:
            for variable, (number, stale) in zip(self.variables, before, strict=True):
                variable.set_value(number, skip_validation=True)
                variable.stale = stale
        return None if undefined else float(value)

    def _refuse_what_ipopt_cannot_treat(self) -> None:
        for variable in self.variables:
            if not variable.is_continuous():
                raise ValueError(f"model: IPOPT needs continuous variables; {variable.name} is not")
        for row in self.constraints:
            if hasattr(row, "_complementarity"):
                raise ValueError(
                    f"model: IPOPT cannot treat the complementarity condition {row.name}; "
                    "transform the model with mpec.simple_nonlinear instead of mpec.nl"
                )

    def _owner(self, segment: str, line: int) -> str:
        """Return the name of the component that a segment, or a line of the sides, belongs to."""
        key, numbers = segment[0], segment[1:].split("\n", 1)[0].split()
        if key == "r":
            return str(self.constraints[line - 1].name)
        if key in "CJ":
            return str(self.constraints[int(numbers[0])].name)
        if key == "V":
            # A defined variable belongs to one constraint, to the objective, or (0) to several.
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
    # This is outside the handler above, because Pyomo's writer accepts a NaN while an exception is
    # being handled.
    name = _unwritable(model) or "the model"
    raise ValueError(f"model: Pyomo cannot write {name}: {cause}") from cause


def _written(model: Any) -> tuple[Any, str]:
    stream = io.StringIO()
    # Presolve would remove variables whose bounds a continuation changes, and their multipliers.
    info = NLWriter().write(model, stream, linear_presolve=False, scale_model=False)
    return info, stream.getvalue()


def _unwritable(model: Any) -> str | None:
    """Return the name of the first objective or constraint that cannot be written alone."""
    for kind in (pyo.Objective, pyo.Constraint):
        for component in model.component_data_objects(kind, active=True):
            alone = pyo.ConcreteModel()
            alone.only = kind(expr=component.expr)
            try:
                _written(alone)
            except Exception:
                return str(component.name)
    return None
