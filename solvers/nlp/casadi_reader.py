"""A written model as expressions of CasADi.

The imported graph is expanded to scalar expressions (SX), because `nlpsol` is several times faster
on them than on matrix expressions (MX).

CasADi's reader of .nl files does not know four functions that CasADi itself has. Each call of such
a function is read as an additional variable, and its operands as additional rows; afterwards, the
variables are replaced by the functions of the rows.
"""

from __future__ import annotations

import itertools
import re
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np
from pyomo.repn.ampl import nl_operators

from bilad.models.validation import FloatArray
from bilad.solvers.nlp.engine import EngineError
from bilad.solvers.nlp.nl_model import SEGMENT, NlModel

NAME = "IPOPT in CasADi"

# The functions: their number in AMPL, and CasADi's implementation.
MISSING: dict[int, Callable[..., Any]] = {47: ca.atanh, 50: ca.asinh, 52: ca.acosh, 35: ca.if_else}
MISSING_LINE = re.compile(rf"^o(?:{'|'.join(map(str, MISSING))})$", re.MULTILINE)
EXTERNAL_LINE = re.compile(r"^f\d+ ", re.MULTILINE)
SUFFIX = re.compile(r"^S\d+ \d+ (.*)\n(?:\d+ .*\n)*", re.MULTILINE)
UNREAD = re.compile(r"^(?:d\d+\n(?:\d+ .*\n)*|k-?\d+\n(?:\d+\n)*)", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class CasadiNlp:
    """Minimise f(x) subject to `lower` <= g(x) <= `upper`; x has shape (n,), g has shape (m,)."""

    x: Any
    f: Any
    g: Any
    lower: FloatArray
    upper: FloatArray


def read(model: NlModel) -> CasadiNlp:
    """Read a written model.

    Raises
    ------
    ValueError
        If a component has an external function, or the lower side of a constraint exceeds the
        upper side.
    EngineError
        If CasADi's reader refuses the file for another reason.

    Warns
    -----
    RuntimeWarning
        If the model exports suffixes, which CasADi cannot use.
    """
    external = model.component_with(EXTERNAL_LINE) if "\nF0 " in model.head else None
    if external is not None:
        raise ValueError(f"{external}: {NAME} cannot call external functions")
    head, names = SUFFIX.sub("", model.head), sorted(set(SUFFIX.findall(model.head)))
    if names:
        left_out = ", ".join(names)
        warnings.warn(f"{NAME} ignores the exported suffixes {left_out}", RuntimeWarning, 2)
    n, m = len(model.variables), len(model.constraints)
    outline = _Outline(UNREAD.sub("", head), n, m)
    text = outline.head + model.sides + "3\n" * len(outline.operands) + UNREAD.sub("", model.tail)
    nlp = _expanded(_imported(text), outline, n, m)
    crossed = np.flatnonzero(~(nlp.lower <= nlp.upper))
    if crossed.size:
        name = model.constraints[crossed[0]].name
        raise ValueError(f"{name}: expected lower <= upper side, given the opposite")
    return nlp


class _Outline:
    """The head of a .nl text in which variables stand for the calls of unknown functions.

    Attributes
    ----------
    head : str
        The text, with a variable for each call, and a row for each operand at its end.
    calls : list of int
        The number of the function of each call. A call inside another call comes first.
    operands : list of str
        The operands of all calls, in the order of the calls.
    first : int
        The index of the first call's variable. The variables and defined variables of the model
        come before it.
    """

    def __init__(self, head: str, n: int, m: int) -> None:
        self.calls: list[int] = []
        self.operands: list[str] = []
        self.first = n
        self.head = head
        if not MISSING_LINE.search(head):
            return
        header, *segments = SEGMENT.split(head)
        self.first += sum(segment[0] == "V" for segment in segments)
        segments = [self._segment(segment) for segment in segments]
        rows = [f"C{m + i}\n{operand}" for i, operand in enumerate(self.operands)]
        counts = f"\n {self.first + len(self.calls)} {m + len(rows)} "
        header = header.replace(f"\n {n} {m} ", counts, 1)
        self.head = "".join([header, *segments, *rows])

    def _segment(self, segment: str) -> str:
        if not MISSING_LINE.search(segment):
            return segment
        lines = segment.splitlines(keepends=True)
        # The linear terms of a defined variable stand before its expression.
        start = 1 + (int(lines[0].split()[1]) if segment[0] == "V" else 0)
        return "".join([*lines[:start], self._expression(lines[start:])])

    def _expression(self, lines: list[str]) -> str:
        """Replace the calls in an expression in prefix notation, which is read from its end."""
        stack: list[str] = []
        for line in reversed(lines):
            if line[0] != "o":
                stack.append(line)
                continue
            number = int(line[1:])
            size = nl_operators[number][0]
            parts = [stack.pop()] if size is None else []  # the first line of a list is its length
            parts += [stack.pop() for _ in range(size or int(parts[0]))]
            if number in MISSING:
                self.operands += parts
                self.calls.append(number)
                line, parts = f"v{self.first + len(self.calls) - 1}\n", []
            stack.append("".join([line, *parts]))
        return stack.pop()


def _imported(text: str) -> Any:
    builder = ca.NlpBuilder()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.nl")
        path.write_text(text, encoding="utf-8")
        try:
            builder.import_nl(str(path), {})
        except RuntimeError as error:
            raise EngineError(NAME, f"cannot read the model ({error})") from error
    return builder


def _expanded(builder: Any, outline: _Outline, n: int, m: int) -> CasadiNlp:
    rows = ca.vertcat(*builder.g) if builder.g else ca.MX(0, 1)
    cost = builder.f if builder.f.numel() else ca.MX(0)
    graph = ca.Function("nlp", [ca.vertcat(*builder.x)], [cost, rows]).expand()
    x = ca.SX.sym("x", len(builder.x))
    f, g = graph(x)
    if outline.calls:
        operands = iter(ca.vertsplit(g[m:]))
        values = [
            MISSING[number](*itertools.islice(operands, nl_operators[number][0]))
            for number in outline.calls
        ]
        _, (f, g) = ca.substitute_inplace(ca.vertsplit(x[outline.first :]), values, [f, g[:m]])
    sides = (np.array(side[:m], dtype=float) for side in (builder.g_lb, builder.g_ub))
    return CasadiNlp(x[:n], f, g, *sides)
