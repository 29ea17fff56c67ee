"""The rows of a .nl file: each is a linear function plus a sum of nonlinear terms.

Sums are split as far as they go. The terms of one kind, such as all pairs of a smooth deviation,
are then equal up to their variables and constants.
"""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from pyomo.common.gc_manager import PauseGC
from pyomo.repn.ampl import nl_operators

from bilad.models.validation import FloatArray
from bilad.solvers.nlp.nl_model import SEGMENT, NlModel

SUM, ADD, TIMES, DIVIDED, NEGATED, POWER = "o54", "o0", "o2", "o3", "o16", "o5"
VARIABLE, NUMBER = "v", "n"
ARITY = {f"o{number}": entry[0] for number, entry in nl_operators.items()}

EXTERNAL_LINE = re.compile(r"^f\d+ ", re.MULTILINE)
SUFFIX = re.compile(r"^S\d+ \d+ (.*)$", re.MULTILINE)

Expression = list[str]  # the lines of the file, in prefix notation
Factor = tuple[str, ...]  # empty, or an operator (product, quotient) and a variable


@dataclass(frozen=True)
class Term:
    """A nonlinear term: `coefficient` times an expression of `variables` and `constants`.

    Attributes
    ----------
    form : tuple of tuple of str
        The defined variables that the expression uses, each as an expression, in order; then the
        expression. Variables, constants and defined variables are numbered: v0, n0, d0, ...;
        constant exponents are part of the form: c2.
    variables : tuple of int
        Distinct indices.
    constants : tuple of float
    coefficient : float
    """

    form: tuple[tuple[str, ...], ...]
    variables: tuple[int, ...]
    constants: tuple[float, ...]
    coefficient: float


@dataclass
class Row:
    """A function: constant + linear function + sum of terms."""

    constant: float = 0.0
    linear: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    terms: list[Term] = field(default_factory=list)


class WrittenRows:
    """The objective and the constraints of a written model.

    Parameters
    ----------
    model : NlModel

    Attributes
    ----------
    rows : list of Row
        The m constraints, then the function to be minimised: zero if there is no objective.
    lower, upper : ndarray, shape (m,)
        The sides of the constraints.
    """

    def __init__(self, model: NlModel) -> None:
        n, m = len(model.variables), len(model.constraints)
        self._n = n
        self._defined: dict[str, Expression] = {}
        self.rows = [Row() for _ in range(m + 1)]
        for segment in SEGMENT.split(model.head + model.tail)[1:]:
            key, (first, *lines) = segment[0], segment.splitlines()
            numbers = first[1:].split()
            if key == "V":
                linear = [line.split() for line in lines[: int(numbers[1])]]
                products = [token for j, c in linear for token in (TIMES, f"n{c}", f"v{j}")]
                rest = lines[len(linear) :]
                sum_of_all = [SUM, str(len(linear) + 1), *products, *rest]
                self._defined[f"v{numbers[0]}"] = _marked(sum_of_all)
            elif key in "CO":
                row = self.rows[int(numbers[0]) if key == "C" else m]
                self._add(row, _marked(lines), 1.0 if key == "C" else model.sense)
            elif key in "JG":
                row = self.rows[int(numbers[0]) if key == "J" else m]
                factor = 1.0 if key == "J" else model.sense
                for j, c in map(str.split, lines):
                    row.linear[int(j)] += factor * float(c)
        self.lower, self.upper = _sides(model.sides)

    def _add(self, row: Row, expression: Expression, coefficient: float) -> None:
        """Add a multiple of an expression to a row.

        A defined variable depends on earlier ones only; hence each is split once for each product
        in which it occurs.
        """
        used = defaultdict[tuple[int, Factor], float](float)
        self._split(row, used, expression, coefficient, ())
        while used:
            number, factor = max(used)
            c = used.pop((number, factor))
            self._split(row, used, self._defined[f"v{number}"], c, factor)

    def _split(
        self,
        row: Row,
        used: dict[tuple[int, Factor], float],
        expression: Expression,
        coefficient: float,
        factor: Factor,
    ) -> None:
        """Add the terms of a product to a row, and its defined variables to `used`."""
        ends = _ends(expression)
        stack = [(0, coefficient, factor)]
        while stack:
            at, c, factor = stack.pop()
            token, children = expression[at], list(_children(expression, ends, at))
            operands = [expression[child] for child in children]
            if token in (SUM, ADD):
                stack += [(child, c, factor) for child in reversed(children)]
            elif token == NEGATED:
                stack.append((children[0], -c, factor))
            elif (
                token in (TIMES, DIVIDED)
                and (k := self._leaf(token, operands, not factor)) is not None
            ):
                leaf, rest = operands[k], children[1 - k]
                if leaf[0] == NUMBER:
                    number = float(leaf[1:])
                    stack.append((rest, c * number if token == TIMES else c / number, factor))
                else:
                    stack.append((rest, c, (token, leaf)))
            elif token[0] == NUMBER and not factor:
                row.constant += c * float(token[1:])
            elif self._is_defined(token):
                used[int(token[1:]), factor] += c
            elif token[0] == VARIABLE and not factor:
                row.linear[int(token[1:])] += c
            else:
                row.terms.append(self._term(_product(expression[at : ends[at]], factor), c))

    def _is_defined(self, token: str) -> bool:
        return token[0] == VARIABLE and int(token[1:]) >= self._n

    def _leaf(self, token: str, operands: list[str], may_vary: bool) -> int | None:
        """Return which operand of a product or quotient is a factor of all terms of the other.

        A variable is one only if the other operand is a sum, or a defined variable.
        """
        for k in (0, 1) if token == TIMES else (1,):
            other = operands[1 - k]
            if operands[k][0] == NUMBER and (token == TIMES or float(operands[k][1:]) != 0.0):
                return k
            single = may_vary and operands[k][0] == VARIABLE and not self._is_defined(operands[k])
            if single and (other in (SUM, ADD) or self._is_defined(other)):
                return k
        return None

    def _term(self, expression: Expression, coefficient: float) -> Term:
        definitions = self._definitions(expression)
        names = {name: f"d{i}" for i, name in enumerate(definitions)}
        variables: dict[str, str] = {}
        constants: list[float] = []
        form = []
        for part in [*(self._defined[name] for name in definitions), expression]:
            written = []
            for token in part:
                if token[0] == VARIABLE:
                    name = names.get(token) or variables.setdefault(token, f"v{len(variables)}")
                    written.append(name)
                elif token[0] == NUMBER:
                    written.append(f"n{len(constants)}")
                    constants.append(float(token[1:]))
                else:
                    written.append(token)
            form.append(tuple(written))
        places = tuple(int(token[1:]) for token in variables)
        return Term(tuple(form), places, tuple(constants), coefficient)

    def _definitions(self, expression: Expression) -> list[str]:
        """Return the defined variables on which an expression depends, in increasing order."""
        found: set[str] = set()
        left = [expression]
        while left:
            new = self._defined.keys() & set(left.pop()) - found
            found |= new
            left += [self._defined[name] for name in new]
        return sorted(found, key=lambda name: int(name[1:]))


def read(model: NlModel, engine: str) -> WrittenRows:
    """Read a written model for an engine that evaluates it in this process.

    Raises
    ------
    ValueError
        If a component has an external function, or the lower side of a constraint exceeds the
        upper side.

    Warns
    -----
    RuntimeWarning
        If the model exports suffixes, which the engine cannot use.
    """
    external = model.component_with(EXTERNAL_LINE) if "\nF0 " in model.head else None
    if external is not None:
        raise ValueError(f"{external}: {engine} cannot call external functions")
    names = sorted(set(SUFFIX.findall(model.head)))
    if names:
        left_out = ", ".join(names)
        warnings.warn(f"{engine} ignores the exported suffixes {left_out}", RuntimeWarning, 2)
    with PauseGC():
        written = WrittenRows(model)
    crossed = np.flatnonzero(~(written.lower <= written.upper))
    if crossed.size:
        name = model.constraints[crossed[0]].name
        raise ValueError(f"{name}: expected lower <= upper side, given the opposite")
    return written


def _sides(text: str) -> tuple[FloatArray, FloatArray]:
    """Return the lower and upper sides of the constraints from the segment of the file."""
    sides = []
    for line in text.splitlines()[1:]:
        kind, *numbers = line.split()
        low, high = (float(numbers[0]), float(numbers[-1])) if numbers else (-np.inf, np.inf)
        sides.append((-np.inf if kind == "1" else low, np.inf if kind == "2" else high))
    array = np.array(sides).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def _ends(expression: Expression) -> list[int]:
    """Return, for each place of an expression, the place after the part that begins there."""
    ends = list(range(1, len(expression) + 1))
    for at in range(len(expression) - 1, -1, -1):
        if expression[at] in ARITY:
            *_, last = _children(expression, ends, at)
            ends[at] = ends[last]
    return ends


def _children(expression: Expression, ends: list[int], at: int) -> Iterator[int]:
    """Yield the places at which the operands of the operator at a place begin."""
    arity, child = ARITY.get(expression[at], 0), at + 1
    if arity is None:  # the operator of long sums is followed by the number of operands
        arity, child = int(expression[child]), child + 1
    for _ in range(arity):
        yield child
        child = ends[child]


def _product(expression: Expression, factor: Factor) -> Expression:
    return [factor[0], *expression, factor[1]] if factor else expression


def _marked(expression: Expression) -> Expression:
    """Return an expression with its constant exponents marked: x^2 is another form than x^3.

    The derivative of x^c with respect to x is a formula without log(x) only if c is known.
    """
    if POWER not in expression:
        return expression
    ends, marked = _ends(expression), list(expression)
    for at, token in enumerate(expression):
        if token == POWER and expression[ends[at + 1]][0] == NUMBER:
            marked[ends[at + 1]] = f"c{expression[ends[at + 1]][1:]}"
    return marked
