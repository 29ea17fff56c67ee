"""Fixture: the rows of a CSV file."""

import csv

import pytest


@pytest.fixture
def rows_of():
    """Return a function that reads a CSV file."""

    def read(path):
        with path.open(newline="") as file:
            return list(csv.DictReader(file))

    return read
