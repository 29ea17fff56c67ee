"""Published bilevel problems, written in Pyomo, and those of a table of formulas.

A function of the variables x of the leader and y of the follower returns the objectives F and f,
both minimised, and two lists of expressions that the constraints keep nonnegative: those of the
leader, and those of the follower. A variable alone is a lower bound of 0.

The formulas are those of BOLIB (Zhou, Zemkoho and Tin, 2020) in BOLIB.jl, MIT licence.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.formulations import Follower
from bilad.models.validation import ArgumentError

Formulas = tuple[Any, Any, list[Any], list[Any]]
FUNCTIONS = {
    "exp": pyo.exp,
    "log": pyo.log,
    "sqrt": pyo.sqrt,
    "sin": pyo.sin,
    "cos": pyo.cos,
    "pi": math.pi,
}
SAMPLES = 3  # points at which two expressions are compared


@dataclass(frozen=True)
class PublishedProblem:
    """A bilevel problem with the value to reach.

    Attributes
    ----------
    name, source : str
    target : float
        The value of F to reach.
    proved : bool
        Whether the target is proved to be optimal.
    book : float or None
        The value in the literature.
    start : tuple of tuple of float
        The starting values of x and of y.
    formulas : callable(x, y)
        Returns F, f, and the expressions that the constraints keep nonnegative.
    """

    name: str
    source: str
    target: float
    proved: bool
    book: float | None
    start: tuple[tuple[float, ...], tuple[float, ...]]
    formulas: Callable[[Any, Any], Formulas]

    def model(self) -> pyo.ConcreteModel:
        """Write the problem as a Pyomo model with the follower `lower`.

        Two opposite inequalities of the follower become an equation.
        """
        x, y = self.start
        m = pyo.ConcreteModel(self.name)
        m.x = pyo.Var(range(len(x)), initialize=dict(enumerate(x)))
        m.lower = Follower()
        m.lower.y = pyo.Var(range(len(y)), initialize=dict(enumerate(y)))
        F, f, upper, lower = self.formulas(m.x, m.lower.y)
        m.cost = pyo.Objective(expr=F)
        m.lower.cost = pyo.Objective(expr=f)
        m.rows, m.lower.rows = pyo.ConstraintList(), pyo.ConstraintList()
        variables = [*m.x.values(), *m.lower.y.values()]
        for row, is_equation in _paired(lower, variables):
            if is_equation:
                m.lower.rows.add(row == 0)
            else:
                _bound(row, m.lower.rows, m.lower.y)
        for row in upper:
            _bound(row, m.rows, m.x)
        return m


def _bound(row: Any, rows: Any, own: Any) -> None:
    """Keep an expression nonnegative: by a bound if it is a variable of this level."""
    if getattr(row, "ctype", None) is pyo.Var and row.parent_component() is own:
        row.setlb(0.0)
    elif not isinstance(row, int | float):
        rows.add(row >= 0)


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


PROBLEMS: list[PublishedProblem] = []


def _problem(
    source: str,
    target: float,
    x: tuple[float, ...],
    y: tuple[float, ...],
    proved: bool = True,
    book: float | None = None,
) -> Callable[[Callable[[Any, Any], Formulas]], Callable[[Any, Any], Formulas]]:
    """Add a problem of the given source, target and start; the book's value is that target."""

    def add(formulas: Callable[[Any, Any], Formulas]) -> Callable[[Any, Any], Formulas]:
        known = target if book is None else book
        problem = PublishedProblem(
            formulas.__name__.strip("_"), source, target, proved, known, (x, y), formulas
        )
        PROBLEMS.append(problem)
        return formulas

    return add


@_problem("Bard, Naval Res. Logist. Q. 31 (1984) 13", 3.111111111111111, (1.0,), (1.0,))
def _bard_1984a(x: Any, y: Any) -> Formulas:
    F = x[0] + y[0]
    f = -5 * x[0] - y[0]
    return (
        F,
        f,
        [x[0]],
        [x[0] + y[0] / 2 - 2, x[0] / 4 - y[0] + 2, 8 - y[0] / 2 - x[0], 2 * y[0] - x[0] + 4, y[0]],
    )


@_problem("Bard, Naval Res. Logist. Q. 31 (1984) 13", -37.6, (1.0,), (1.0,))
def _bard_1984b(x: Any, y: Any) -> Formulas:
    F = -5 * x[0] - y[0]
    f = y[0]
    return (
        F,
        f,
        [x[0]],
        [x[0] + y[0] / 2 - 2, x[0] / 4 - y[0] + 2, 8 - y[0] / 2 - x[0], 2 * y[0] - x[0] + 4, y[0]],
    )


@_problem("Bard, JOTA 68 (1991) 371", -1.0, (0.0,), (0.0, 0.0))
def _bard_1991_ex2(x: Any, y: Any) -> Formulas:
    F = 10 * y[0] - x[0] - y[1]
    f = -y[0] - y[1]
    return F, f, [x[0]], [1 - y[0] - x[0], 1 - y[1] - x[0], 1 - y[1] - y[0], y[0], y[1]]


@_problem("Ben-Ayed & Blair, Oper. Res. 38 (1990) 556", -2.5, (1.0,), (1.0, 1.0))
def _ben_ayed_blair_1990a(x: Any, y: Any) -> Formulas:
    F = -(3 * x[0]) / 2 - 6 * y[0] - y[1]
    f = -y[0] - 5 * y[1]
    return (
        F,
        f,
        [x[0], 1 - x[0]],
        [5 - 3 * y[0] - y[1] - x[0], 5 - y[0] - 3 * y[1] - 2 * x[0], y[0], y[1]],
    )


@_problem("Ben-Ayed & Blair, Oper. Res. 38 (1990) 556", -6.0, (3.0,), (4.0,))
def _ben_ayed_blair_1990b(x: Any, y: Any) -> Formulas:
    F = -x[0] - y[0]
    f = y[0]
    return (
        F,
        f,
        [x[0]],
        [4 * x[0] + 3 * y[0] - 19, 11 - 2 * y[0] - x[0], 13 - y[0] - 3 * x[0], y[0]],
    )


@_problem("Bialas & Karwan, Manage. Sci. 30 (1984) 1004", -11.0, (10.0,), (14.0,))
def _bialas_karwan_1984b(x: Any, y: Any) -> Formulas:
    F = -y[0]
    f = y[0]
    return (
        F,
        f,
        [x[0]],
        [
            x[0] + 2 * y[0] - 10,
            38 - 2 * y[0] - x[0],
            x[0] - 2 * y[0] + 18,
            2 * y[0] - x[0] + 6,
            y[0] - 2 * x[0] + 21,
            y[0],
        ],
    )


@_problem("Clark & Westerberg, Naval Res. Logist. 35 (1988) 413", -37.0, (20.0,), (0.0,))
def _clark_westerberg_1988(x: Any, y: Any) -> Formulas:
    F = x[0] - 4 * y[0]
    f = y[0]
    return F, f, [], [2 * x[0] - y[0], 108 - 5 * y[0] - 2 * x[0], 3 * y[0] - 2 * x[0] - 4]


@_problem("Glackin, Ecker & Kupferschmid, JOTA 140 (2009) 197", 6.0, (0.0, 1.0), (0.0,))
def _glackin_etal_2009(x: Any, y: Any) -> Formulas:
    F = 4 * x[1] - 2 * x[0] + 3 * y[0]
    f = -y[0]
    return (
        F,
        f,
        [x[1] - x[0] - 1, x[0], x[1]],
        [4 - x[1] - y[0] - x[0], 6 - 2 * x[1] - y[0] - 2 * x[0], y[0]],
    )


@_problem("Haurie, Savard & White, Oper. Res. 38 (1990) 553", 27.000000000000007, (1.0,), (1.0,))
def _haurie_savard_white_1990(x: Any, y: Any) -> Formulas:
    F = x[0] + 5 * y[0]
    f = -y[0]
    return (
        F,
        f,
        [],
        [
            3 * x[0] - 2 * y[0] + 6,
            48 - 4 * y[0] - 3 * x[0],
            5 * y[0] - 2 * x[0] + 9,
            x[0] + y[0] - 8,
        ],
    )


@_problem("Liu & Hart, EJOR 73 (1994) 164", -16.0, (1.0,), (1.0,))
def _liu_hart_1994(x: Any, y: Any) -> Formulas:
    F = -x[0] - 3 * y[0]
    f = y[0]
    return F, f, [x[0]], [x[0] - y[0] + 3, 12 - 2 * y[0] - x[0], y[0] - 4 * x[0] + 12, y[0]]


@_problem("Tuy, Migdalas & Varbrand, J. Glob. Optim. 3 (1993) 1", -3.25, (0.0, 0.0), (0.0, 0.0))
def _tuy_etal_1993(x: Any, y: Any) -> Formulas:
    F = x[1] - 2 * x[0] + y[0] / 2
    f = y[1] - 4 * y[0]
    return (
        F,
        f,
        [2 - x[1] - x[0], x[0], x[1]],
        [2 * x[0] - y[0] + y[1] - 5 / 2, 3 * x[1] - x[0] - y[1] + 2, y[0], y[1]],
    )


@_problem("Visweswaran et al. (1996)", 3.111111111111111, (1.0,), (1.0,))
def _visweswaran_etal_1996(x: Any, y: Any) -> Formulas:
    F = x[0] + y[0]
    f = -5 * x[0] - y[0]
    return (
        F,
        f,
        [x[0]],
        [x[0] + y[0] / 2 - 2, x[0] / 4 - y[0] + 2, 8 - y[0] / 2 - x[0], 2 * y[0] - x[0] + 2, y[0]],
    )


@_problem("Wang, Jiao & Li (2005)", -1000.0, (1.0,), (1.0, 1.0))
def _wang_jiao_li_2005(x: Any, y: Any) -> Formulas:
    F = -100 * x[0] - 1000 * y[0]
    f = -y[0] - y[1]
    return F, f, [x[0], 1 - x[0]], [y[1] - y[0] - x[0] + 1, 1 - y[1] - y[0]]


@_problem("Bard, Math. Program. 40 (1988) 15", 16.99999999927857, (4.0,), (0.0,))
def _bard_1988_ex1(x: Any, y: Any) -> Formulas:
    F = (x[0] - 5) ** 2 + (2 * y[0] + 1) ** 2
    f = (y[0] - 1) ** 2 - (3 * x[0] * y[0]) / 2
    return F, f, [x[0]], [3 * x[0] - y[0] - 3, y[0] / 2 - x[0] + 4, 7 - y[0] - x[0], y[0]]


@_problem("Bard, JOTA 68 (1991) 371", 2.0, (1.0,), (1.0, 1.0))
def _bard_1991_ex1(x: Any, y: Any) -> Formulas:
    F = x[0] + y[1]
    f = 2 * y[0] + x[0] * y[1]
    return F, f, [x[0] - 2, 4 - x[0]], [y[0] - x[0] + y[1] - 4, y[0], y[1]]


@_problem("Calamai & Vicente, ACM TOMS 20 (1994) 103", -2.7587432338549434e-10, (1.0,), (1.0,))
def _calamai_vicente_1994a(x: Any, y: Any) -> Formulas:
    F = (x[0] - 1) ** 2 / 2 + y[0] ** 2 / 2
    f = y[0] / 2 - x[0] * y[0]
    return F, f, [], [y[0] - x[0] + 1, x[0] + y[0] - 1, 1 - y[0] - x[0]]


@_problem("Clark & Westerberg, Comput. Chem. Eng. 14 (1990) 87", 4.999999999863876, (1.0,), (1.0,))
def _clark_westerberg_1990a(x: Any, y: Any) -> Formulas:
    F = (x[0] - 3) ** 2 + (y[0] - 2) ** 2
    f = (y[0] - 5) ** 2
    return F, f, [8 - x[0], x[0]], [2 * x[0] - y[0] + 1, 2 * y[0] - x[0] - 2, 14 - 2 * y[0] - x[0]]


@_problem("Colson, BIPA, Cahiers du GERAD (2002)", 250.0, (10.0,), (10.0,), proved=False)
def _colson_2002_bipa1(x: Any, y: Any) -> Formulas:
    F = -((x[0] - 10) ** 3) - (y[0] - 10) ** 3
    f = (x[0] + 2 * y[0] - 15) ** 4
    return F, f, [5 - x[0], x[0] - y[0], x[0]], [20 - y[0] - x[0], 20 - y[0], y[0]]


@_problem("Colson, BIPA, Cahiers du GERAD (2002)", 88.79, (1.5,), (2.25,), proved=False)
def _colson_2002_bipa4(x: Any, y: Any) -> Formulas:
    F = (y[0] - 10) ** 2 + x[0] ** 2
    f = x[0] - 2 * y[0] - x[0] ** 2 + x[0] ** 3 + 2 * y[0] ** 3
    return F, f, [6 - 2 * y[0] - x[0], x[0]], [x[0] - 2 * y[0] + 3, y[0]]


@_problem("Dempe & Dutta, Math. Program. 131 (2012) 37", 0.0, (1.0,), (1.0,), proved=False)
def _dempe_dutta_2012_ex24(x: Any, y: Any) -> Formulas:
    F = (x[0] - 1) ** 2 + y[0] ** 2
    f = x[0] ** 2 * y[0]
    return F, f, [], [-(y[0] ** 2)]


@_problem("Dempe, Mordukhovich & Zemkoho (2012)", -1.0, (1.0,), (1.0,))
def _dempe_etal_2012(x: Any, y: Any) -> Formulas:
    F = x[0]
    f = x[0] * y[0]
    return F, f, [x[0] + 1, 1 - x[0]], [y[0], 1 - y[0]]


@_problem("Dempe & Franke (2011)", 5.000000000024189, (1.0, 1.0), (1.0, 1.0))
def _dempe_franke_2011_ex41(x: Any, y: Any) -> Formulas:
    F = x[0] + y[0] ** 2 + y[1] ** 2
    f = x[0] * y[0] + x[1] * y[1]
    return (
        F,
        f,
        [x[0] + 1, 1 - x[0], x[1] + 1, -x[1] - 1],
        [2 * y[0] - y[1], 2 - y[0], 2 - y[1], y[1]],
    )


@_problem("Dempe & Franke (2014)", -1.0, (1.0, 1.0), (1.0, 1.0))
def _dempe_franke_2014_ex38(x: Any, y: Any) -> Formulas:
    F = 2 * x[0] + x[1] + 2 * y[0] - y[1]
    f = x[0] * y[0] + x[1] * y[1]
    return (
        F,
        f,
        [x[0] + 1, 1 - x[0], x[1] + 1, -x[1] - 3 / 4],
        [2 * y[0] - y[1], 2 - y[0], 2 - y[1], y[1]],
    )


@_problem("Dempe & Lohse (2011)", -5.750000000381176, (1.0, 1.0), (1.0, 1.0), book=-5.5)
def _dempe_lohse_2011_ex31a(x: Any, y: Any) -> Formulas:
    F = (x[0] - 1 / 2) ** 2 - 3 * y[1] - 3 * y[0] + (x[1] - 1 / 2) ** 2
    f = x[0] * y[0] + x[1] * y[1]
    return F, f, [], [2 - y[1] - y[0], y[0] - y[1], y[0], y[1]]


@_problem("Floudas & Zlobec (1998)", 1.0, (1.0,), (1.0, 1.0), proved=False)
def _floudas_zlobec_1998(x: Any, y: Any) -> Formulas:
    F = y[1] + x[0] ** 3 * y[0]
    f = -y[1]
    return (
        F,
        f,
        [x[0], 1 - x[0]],
        [y[0] + 1, y[1], 1 - y[0], 100 - y[1], 10 - x[0] * y[0], 1 - y[0] ** 2 - x[0] * y[1]],
    )


@_problem("Gumus & Floudas, J. Glob. Optim. 20 (2001) 1", 2250.0, (1.0,), (1.0,), proved=False)
def _gumus_floudas_2001_ex1(x: Any, y: Any) -> Formulas:
    F = 16 * x[0] ** 2 + 9 * y[0] ** 2
    f = (x[0] + y[0] - 20) ** 4
    return F, f, [x[0], 25 / 2 - x[0], 4 * x[0] - y[0]], [y[0], 50 - y[0], 50 - y[0] - 4 * x[0]]


@_problem("Gumus & Floudas, J. Glob. Optim. 20 (2001) 1", 8.999999999540705, (1.0,), (1.0,))
def _gumus_floudas_2001_ex4(x: Any, y: Any) -> Formulas:
    F = (x[0] - 3) ** 2 + (y[0] - 2) ** 2
    f = (y[0] - 5) ** 2
    return (
        F,
        f,
        [x[0], 8 - x[0], 2 * x[0] - y[0] + 1, 2 * y[0] - x[0] - 2, 14 - 2 * y[0] - x[0]],
        [y[0], 10 - y[0]],
    )


@_problem("Hatz et al. (2013)", 0.0, (1.0,), (1.0, 1.0))
def _hatz_etal_2013(x: Any, y: Any) -> Formulas:
    F = 2 * y[0] - x[0] + y[1]
    f = (x[0] - y[0]) ** 2 + y[1] ** 2
    return F, f, [], [y[0], y[1]]


@_problem("Henderson & Quandt, Microeconomic Theory (1958)", -3266.67, (0.0,), (0.0,), proved=False)
def _henderson_quandt_1958(x: Any, y: Any) -> Formulas:
    F = x[0] * (x[0] / 2 + y[0] / 2 - 95)
    f = y[0] * (x[0] / 2 + y[0] - 100)
    return F, f, [200 - x[0], x[0]], [y[0]]


@_problem("Ishizuka & Aiyoshi, Ann. Oper. Res. 34 (1992) 73", 0.0, (1.0,), (1.0, 1.0), proved=False)
def _ishizuka_aiyoshi_1992a(x: Any, y: Any) -> Formulas:
    F = x[0] * y[1] ** 2
    f = y[0]
    return (
        F,
        f,
        [x[0] + 3 / 2],
        [x[0], x[0] + y[0], x[0] - y[0], y[0] + y[1] + 3 / 2, 3 / 2 - y[1] - y[0]],
    )


@_problem("Lampariello & Sagratella (2017)", 0.999999999994994, (1.0,), (1.0,))
def _lampariello_sagratella_2017_ex31(x: Any, y: Any) -> Formulas:
    F = x[0] ** 2 + y[0] ** 2
    f = y[0]
    return F, f, [x[0] - 1], [x[0] + y[0] - 1]


@_problem("Lampariello & Sagratella (2017)", 0.49999999944417484, (1.0,), (1.0, 1.0))
def _lampariello_sagratella_2017_ex33(x: Any, y: Any) -> Formulas:
    F = (y[0] + y[1]) ** 2 + x[0] ** 2
    f = y[0]
    return F, f, [x[0] - 1 / 2], [x[0] + y[0] + y[1] - 1, y[0], y[1]]


@_problem("Lampariello & Sagratella (2017)", 0.799999999953419, (1.0,), (1.0,))
def _lampariello_sagratella_2017_ex35(x: Any, y: Any) -> Formulas:
    F = x[0] ** 2 + y[0] ** 2
    f = -y[0]
    return F, f, [x[0] + 1, 1 - x[0]], [2 - y[0] - 2 * x[0], y[0], 1 - y[0]]


@_problem(
    "Lucchetti, Mignanego & Pieri, Optimization 18 (1987) 857", 0.0, (1.0,), (1.0,), proved=False
)
def _lucchetti_etal_1987(x: Any, y: Any) -> Formulas:
    F = x[0] * y[0] - x[0] / 2 + 1 / 2
    f = y[0] * (x[0] - 1)
    return F, f, [x[0], 1 - x[0]], [y[0], 1 - y[0]]


@_problem(
    "Mitsos & Barton, A test set for bilevel programs (2006/07)", 0.0, (1.0,), (1.0,), proved=False
)
def _mitsos_barton_2006_ex38(x: Any, y: Any) -> Formulas:
    F = y[0] ** 2
    f = x[0] * y[0] + y[0] * pyo.exp(x[0])
    return F, f, [x[0] + 1, 1 - x[0], y[0] + 1 / 10, 1 / 10 - y[0]], [y[0] + 1, 1 - y[0]]


@_problem("Nie, Wang & Ye, SIAM J. Optim. 27 (2017) 1728", 2.0, (1.0,), (1.0, 1.0), proved=False)
def _nie_wang_ye_2017_ex34(x: Any, y: Any) -> Formulas:
    F = x[0] + y[0] + y[1]
    f = x[0] * (y[0] + y[1])
    return F, f, [x[0] - 2, 3 - x[0]], [y[0] ** 2 - (y[0] ** 2 + y[1] ** 2) ** 2 - y[1] ** 2, y[0]]


@_problem("Outrata & Cervinka (2009)", 0.0, (1.0, 1.0), (1.0, 1.0))
def _outrata_cervinka_2009(x: Any, y: Any) -> Formulas:
    F = -2 * x[0] - x[1] / 2 - y[1]
    f = y[0] - y[1] + x[0] * y[0] + x[1] * y[1] + y[0] ** 2 / 2 + y[1] ** 2 / 2
    return F, f, [-x[0]], [-y[1], y[0] - y[1], -y[0] - y[1]]


@_problem("Sahin & Ciric, Comput. Chem. Eng. 23 (1998) 11", 4.999999999863888, (1.0,), (1.0,))
def _sahin_ciric_1998_ex2(x: Any, y: Any) -> Formulas:
    F = (x[0] - 3) ** 2 + (y[0] - 2) ** 2
    f = (y[0] - 5) ** 2
    return F, f, [x[0], 8 - x[0]], [2 * x[0] - y[0] + 1, 2 * y[0] - x[0] - 2, 14 - 2 * y[0] - x[0]]


@_problem("Shimizu & Aiyoshi, IEEE TAC 26 (1981) 460", 99.99999999997988, (1.0,), (1.0,))
def _shimizu_aiyoshi_1981_ex1(x: Any, y: Any) -> Formulas:
    F = (y[0] - 10) ** 2 + x[0] ** 2
    f = (x[0] + 2 * y[0] - 30) ** 2
    return F, f, [15 - x[0], x[0] - y[0], x[0]], [20 - y[0] - x[0], 20 - y[0], y[0]]


@_problem(
    "Shimizu, Ishizuka & Bard, Nondifferentiable and Two-Level Math. Programming (1997)",
    2250.0,
    (1.0,),
    (1.0,),
    proved=False,
)
def _shimizu_etal_1997b(x: Any, y: Any) -> Formulas:
    F = 16 * x[0] ** 2 + 9 * y[0] ** 2
    f = (x[0] + y[0] - 20) ** 4
    return F, f, [x[0], 4 * x[0] - y[0]], [y[0], 50 - y[0] - 4 * x[0]]


@_problem(
    "Tuy, Migdalas & Hoai-Phuong, J. Glob. Optim. 38 (2007) 527", 22.499999987187067, (5.0,), (0.0,)
)
def _tuy_etal_2007(x: Any, y: Any) -> Formulas:
    F = x[0] ** 2 + y[0] ** 2
    f = -y[0]
    return F, f, [x[0], y[0]], [15 - y[0] - 3 * x[0], 7 - y[0] - x[0], 15 - 3 * y[0] - x[0]]


@_problem("Yezza, JOTA 89 (1996) 189", 1.5, (1.0,), (1.0,), proved=False)
def _yezza_1996_ex31(x: Any, y: Any) -> Formulas:
    F = 2 * x[0] - y[0] * (4 * x[0] - 3) + 1
    f = y[0] * (4 * x[0] - 1) - 2 * x[0] - 2
    return F, f, [x[0], 1 - x[0]], [y[0], 1 - y[0]]


@_problem("Yezza, JOTA 89 (1996) 189", 0.4999999995001039, (-1.0,), (-1.0,))
def _yezza_1996_ex41(x: Any, y: Any) -> Formulas:
    F = (y[0] - x[0] + 2) ** 2 / 2 + (y[0] - 2) ** 2 / 2
    f = x[0] - y[0] + y[0] ** 2 / 2
    return F, f, [], [y[0], x[0] - y[0]]


@_problem("Zlobec (2001)", -1.0, (1.0,), (1.0, 1.0), proved=False)
def _zlobec_2001a(x: Any, y: Any) -> Formulas:
    F = -y[0] / x[0]
    f = -y[0] - y[1]
    return F, f, [], [1 - x[0] * y[1] - y[0], y[0], y[1]]


def read_problems(path: Path) -> list[PublishedProblem]:
    """Read the problems of a CSV table, or of the table `bilevel_problems.csv` in a folder.

    Its columns are those of `PublishedProblem`: name, source, target_F, target_from ("proved ..."),
    book_F, n_leader, start_xy, and the formulas F, f, G_ge_0 and g_ge_0 in Python, the last two
    separated by semicolons.

    Raises
    ------
    ArgumentError
        If there is no such file, or a column is missing.
    """
    file = path / "bilevel_problems.csv" if path.is_dir() else path
    if not file.is_file():
        raise ArgumentError("path", str(path), "a CSV table of problems, or its folder")
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    try:
        return [_of_row(row) for row in rows]
    except (KeyError, ValueError) as error:
        given = f"{file.name} with {type(error).__name__}: {error}"
        raise ArgumentError("path", given, "the columns that `read_problems` names") from error


def _of_row(row: dict[str, str]) -> PublishedProblem:
    start, count = tuple(map(float, row["start_xy"].split())), int(row["n_leader"])
    texts = row["F"], row["f"], row["G_ge_0"], row["g_ge_0"]

    def formulas(x: Any, y: Any) -> Formulas:
        names = {"__builtins__": {}, **FUNCTIONS, "x": x, "y": y}
        F, f, upper, lower = (
            [eval(part, names) for part in text.split(";") if part.strip()] for text in texts
        )
        return F[0], f[0], upper, lower

    return PublishedProblem(
        row["name"],
        row["source"],
        float(row["target_F"]),
        row["target_from"].startswith("proved"),
        float(row["book_F"]) if row["book_F"] else None,
        (start[:count], start[count:]),
        formulas,
    )
