"""Published bilevel problems, from a table of formulas.

`studies/bilevel_problems.csv` has 44 problems, whose formulas are those of BOLIB (Zhou, Zemkoho and
Tin, 2020) in BOLIB.jl, MIT licence. Its columns:

name, source
n_leader
    The number of variables x of the leader; the others are the follower's y.
start_xy
    The starting values of x, then of y, separated by spaces.
F, f
    The objectives of the leader and of the follower, both minimised: formulas of numbers, pi,
    x[0], y[0], and so on, with + - * / ** and the functions exp, log, sqrt, sin and cos.
G_ge_0, g_ge_0
    Expressions that the constraints of the leader and of the follower keep nonnegative, separated
    by semicolons. A variable alone is a lower bound of 0; two opposite expressions of the follower
    are an equation.
target_F, target_from, book_F
    The best value of F that is known, and how; the value in the literature.
"""

from __future__ import annotations

import ast
import math
import operator
import os
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from bilad.formulations import Follower
from bilad.models.validation import ArgumentError, real_number

SHIPPED = Path(str(files("bilad.scripts"))) / "studies" / "bilevel_problems.csv"
FUNCTIONS = {name: getattr(pyo, name) for name in ("exp", "log", "sqrt", "sin", "cos")}
COLUMNS = ("name", "target_F", "n_leader", "start_xy", "F", "f", "G_ge_0", "g_ge_0")
OPERATIONS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
SAMPLES = 3  # points at which two expressions are compared


def problems() -> dict[str, tuple[pyo.ConcreteModel, float]]:
    """Return the problems of this package with their targets, for a specification."""
    return read_problems(SHIPPED)


def of_folder() -> dict[str, tuple[pyo.ConcreteModel, float]]:
    """Return those of the table `bilevel_problems.csv` in the folder BILAD_DATA."""
    return read_problems(Path(os.environ.get("BILAD_DATA", ".")) / SHIPPED.name)


def read_problems(path: Path) -> dict[str, tuple[pyo.ConcreteModel, float]]:
    """Read a table; return Pyomo models with the follower `lower`, and their targets, by name.

    Raises
    ------
    ArgumentError
        If there is no such file, a column is missing, a name stands twice, or a problem cannot be
        read.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise ArgumentError("path", f"{path} ({error})", "a CSV table of problems") from None
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise ArgumentError("path", f"{path} without {missing}", f"the columns {COLUMNS}")
    twice = table.name[table.name.duplicated()].tolist()
    if twice:
        raise ArgumentError("path", f"{path} with {twice[0]} twice", "problems with distinct names")
    found = {}
    for row in table.to_dict("records"):
        try:
            target = real_number(float(row["target_F"]), "target_F")
            found[row["name"]] = _model(row), target
        except Exception as error:  # formulas can raise anything
            given = f"{path}, {row['name']} ({type(error).__name__}: {error})"
            raise ArgumentError("path", given, "formulas in x and y, and numbers") from error
    return found


def _model(row: dict[str, str]) -> pyo.ConcreteModel:
    start, count = [float(text) for text in row["start_xy"].split()], int(row["n_leader"])
    m = pyo.ConcreteModel(row["name"])
    m.x = pyo.Var(range(count), initialize=dict(enumerate(start[:count])))
    m.lower = Follower()
    m.lower.y = pyo.Var(range(len(start) - count), initialize=dict(enumerate(start[count:])))
    names = {"pi": math.pi, "x": m.x, "y": m.lower.y}
    (F,), (f,), upper, lower = (
        [
            _formula(ast.parse(part.strip(), mode="eval").body, names)
            for part in row[column].split(";")
            if part.strip()
        ]
        for column in ("F", "f", "G_ge_0", "g_ge_0")
    )
    m.cost, m.lower.cost = pyo.Objective(expr=F), pyo.Objective(expr=f)
    m.rows, m.lower.rows = pyo.ConstraintList(), pyo.ConstraintList()
    for expression, is_equation in _paired(lower, [*m.x.values(), *m.lower.y.values()]):
        if is_equation:
            m.lower.rows.add(expression == 0)
        else:
            _bound(expression, m.lower.rows, m.lower.y)
    for expression in upper:
        _bound(expression, m.rows, m.x)
    return m


def _formula(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """Return the expression that a formula states; it is read, and never executed as Python."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return names[name]
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=index)):
            return names[name][index]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_formula(operand, names)
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in OPERATIONS:
            return OPERATIONS[type(operation)](_formula(left, names), _formula(right, names))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            return FUNCTIONS[name](_formula(argument, names))
    raise ValueError(f"{ast.unparse(node)} is no formula")


def _bound(expression: Any, rows: Any, own: Any) -> None:
    """Keep an expression nonnegative: by a bound if it is a variable of this level."""
    if getattr(expression, "ctype", None) is pyo.Var and expression.parent_component() is own:
        expression.setlb(0.0)
    else:
        rows.add(expression >= 0)


def _paired(rows: list[Any], variables: list[Any]) -> Iterator[tuple[Any, bool]]:
    """Yield each expression, and whether its negative is among them too, which is then left out."""
    rng, samples = np.random.default_rng(0), np.empty((SAMPLES, len(rows)))
    before = [v.value for v in variables]
    for sample in samples:
        for v in variables:
            v.set_value(rng.uniform(0.5, 1.5), skip_validation=True)
        sample[:] = [pyo.value(row) for row in rows]
    for v, value in zip(variables, before, strict=True):
        v.set_value(value)
    dropped = set()
    for k, row in enumerate(rows):
        opposite = np.flatnonzero(np.abs(samples + samples[:, [k]]).max(axis=0) < 1e-12)
        if k not in dropped:
            dropped |= set(opposite.tolist())
            yield row, bool(opposite.size)
