"""A guard: within it, whatever solves a problem raises."""

import importlib
from contextlib import contextmanager

import pytest

SOLVERS = (
    ("clustering.cluster", "LowerSolve.result"),
    ("nlp.ipopt", "IpoptSession.solve"),
    ("learning.fit", "solve_smooth"),
    ("learning.fit", "solve_hinge"),
    ("followers.lower_problem", "LowerProblem.solve"),
    ("upper.milp_solver", "HighsSession.solve"),
)


class SolvedError(BaseException):
    """The lower level, a nonlinear or a mixed-integer program was solved."""


@contextmanager
def nothing_is_solved():
    def solved(*arguments, **options):
        raise SolvedError

    with pytest.MonkeyPatch.context() as patched:
        for module, path in SOLVERS:
            owner = importlib.import_module(f"bilad.solvers.{module}")
            *inside, name = path.split(".")
            for one in inside:
                owner = getattr(owner, one)
            patched.setattr(owner, name, solved)
        yield
