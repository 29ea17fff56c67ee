"""Every method that searches, on problems whose optimum is known in closed form (`TwoGroups`).

The methods run without closing and with at most 100 lower-level solves. The columns of the table
are the problems, and a cell is the relative tolerance of the optimum: 0 for a deviation, which
is attained exactly, and the accuracy of the method's last search for a norm.
"""

import pytest

from bilad.models.problem import LENGTH_TOL
from bilad.solvers import attack
from bilad.solvers.upper import UPPER_METHODS
from bilad.solvers.upper.derivative_free import DERIVATIVE_FREE
from bilad.solvers.upper.gradient import GRADIENT

PROBLEMS = {
    "largest deviation": lambda groups: (groups.bl1(), groups.joined),
    "smallest attack, large target": lambda groups: (
        groups.bl2(target=float(groups.joined)),
        groups.joins,
    ),
}
TOLERANCES = {
    **dict.fromkeys(["exact"], (0, LENGTH_TOL)),
    **dict.fromkeys(["corners", "random"], (0, 3e-6)),
    **dict.fromkeys(DERIVATIVE_FREE, (0, 3e-6)),
    **dict.fromkeys(GRADIENT, (0, 2e-3)),
}
CASES = [
    pytest.param(method, problem, tolerance, id=f"{method}: {problem}")
    for method, row in TOLERANCES.items()
    for problem, tolerance in zip(PROBLEMS, row, strict=True)
]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("method", "problem", "tolerance"), CASES)
def test_the_optimum_is_found(groups, method, problem, tolerance):
    given, optimum = PROBLEMS[problem](groups)
    found = attack(given, method, max_solves=100, bound="none", closing="none")
    value = found.own.deviation if given.sense == "max" else found.own.norm
    assert value == pytest.approx(optimum, rel=tolerance, abs=0)
    assert given.is_attack(found.own.norm, found.own.deviation)
    assert found.deviation == found.own.deviation == groups.deviation(float(found.eps[0]))
    assert found.lower_solves == len(found.history) <= 100


def test_every_method_without_its_own_table_is_in_this_one():
    """The grid, the greedy attack, the MILP and the reformulations have files of their own."""
    others = {"direct", "greedy", "milp", "kkt", "duality", "value-function"}
    assert set(TOLERANCES) == set(UPPER_METHODS) - others
