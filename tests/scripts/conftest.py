"""Fixtures: rows of a fictitious comparison, and the rows of a CSV file."""

import csv

import pytest

from bilad.scripts.comparison import Row


@pytest.fixture
def row():
    """Return a function that makes a row with the given values and plausible others."""

    def make(**changes):
        named = {"settings": "{}", "problem": "some", "label": "kkt scholtes", "status": "feasible"}
        cost = {"solves": 3, "iterations": 4, "seconds": 0.5}
        return Row(**{**named, **cost, "own": 2.0, "history": "1:0.1:1 2:0.2:2", **changes})

    return make


@pytest.fixture
def rows_of():
    """Return a function that reads a CSV file."""

    def read(path):
        with path.open(newline="") as file:
            return list(csv.DictReader(file))

    return read
