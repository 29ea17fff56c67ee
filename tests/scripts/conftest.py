"""Fixtures: rows of a fictitious comparison, and the rows of a CSV file."""

import csv

import pytest

from bilad.scripts.attack_runs import Row
from bilad.scripts.known_problems import known_problems


@pytest.fixture
def row():
    """Return a function that makes a row with the given values and plausible others."""

    def make(**changes):
        settings = {"problem": next(iter(known_problems())), "variant": "kkt scholtes"}
        settings |= {"seed": 0, "options": "", "limit": 1.0}
        nan = float("nan")
        answer = {"status": "feasible", "value": 2.0, "own": 2.0, "bound": nan}
        cost = {"lower_solves": 3, "iterations": 4, "seconds": 0.5}
        known = {"optimum": 2.0, "share": 1.0, "improvements": "0.100:1 0.200:2"}
        changes.setdefault("own_share", changes.get("share", 1.0))  # as if closing found no more
        return Row(**{**settings, **answer, **cost, **known, **changes})

    return make


@pytest.fixture
def rows_of():
    """Return a function that reads a CSV file."""

    def read(path):
        with path.open(newline="") as file:
            return list(csv.DictReader(file))

    return read
