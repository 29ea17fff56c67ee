"""A small specification, and runs in this process, which starts faster than one of their own."""

import copy

import pytest

from bilad.scripts.experiments import runner
from bilad.scripts.experiments.run import carry_out

LINE = {
    "seeds": 2,
    "limits": {"solves": 12},
    "data": {"line": {"kind": "clouds", "points": 9, "dimension": 1}},
    "models": {"cc": {"kind": "convex clustering", "gamma": 2.4, "weight": "1/n"}},
    "perturbations": {"two": {"kind": "additive", "points": 2}},
    "methods": {"corners": {}, "random": {"corners": 3}},
    "problems": [
        {
            "data": "line",
            "models": "cc",
            "perturbations": "two",
            "norms": [float("inf")],
            "budgets": [1.0, 3.0],
            "targets": ["50%"],
            "limit": 3.0,
        }
    ],
}


@pytest.fixture
def line():
    """Return a specification with 12 runs, which a test may change."""
    return copy.deepcopy(LINE)


@pytest.fixture(scope="module")
def module_line():
    """The same for all tests of a module."""
    return copy.deepcopy(LINE)


class InProcess:
    def carry_out(self, run):
        return carry_out(run)

    def close(self):
        pass


@pytest.fixture
def in_process(monkeypatch):
    monkeypatch.setattr(runner, "Worker", InProcess)
