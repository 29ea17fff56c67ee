"""Fixtures: a data set in a file, and the command line."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bilad.scripts.cli import app


@pytest.fixture(scope="session")
def flowers(tmp_path_factory):
    """Return a CSV file with ten points in two clouds, and a column of text."""
    rng = np.random.default_rng(0)
    data = 0.3 * rng.normal(size=(10, 2)) + 6.0 * (np.arange(10) % 2)[:, None]
    frame = pd.DataFrame(data.round(2), columns=["height", "width"])
    frame["kind"] = ["rose", "tulip"] * 5
    path = tmp_path_factory.mktemp("data") / "flowers.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def bilad(tmp_path, monkeypatch):
    """Return a function that runs a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run
