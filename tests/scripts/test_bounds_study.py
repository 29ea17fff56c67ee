"""The study of proved bounds: no attack contradicts one, and the report says how tight they are."""

import numpy as np
import pandas as pd
import pytest

from bilad.scripts.experiments.runner import run_experiment
from bilad.scripts.experiments.specification import read_specification
from bilad.scripts.experiments.studies import study
from bilad.scripts.experiments.table import slack, summary

FEW = ("seeds = 1", "limits.solves = 20")


def bounds(*changes, problems=None):
    return read_specification(study("bounds"), changes).only(problems)


@pytest.mark.parametrize(
    ("question", "sense", "bound", "best", "expected"),
    [
        ("BL1", "max", 8.0, 6.0, 0.25),
        ("BL1", "max", 8.0, 0.0, 1.0),
        ("BL1", "max", 4.0, 6.0, -0.5),
        ("BL1", "max", np.nan, 6.0, np.nan),
        ("BL2", "min", 3.0, 4.0, 0.25),
        ("BL2", "min", 0.0, 4.0, 1.0),
        ("BL2", "min", 6.0, 4.0, -0.5),
        ("BL2", "min", 3.0, np.inf, np.nan),
        ("bilevel", "min", 3.0, 4.0, 0.25),
        ("bilevel", "max", 4.0, 3.0, 0.2),
    ],
)
def test_the_slack_of_a_bound(question, sense, bound, best, expected):
    assert float(slack(question, sense, bound, best)) == pytest.approx(expected, nan_ok=True)


def test_bounds_are_stored_with_their_slack():
    table = run_experiment(bounds(*FEW, problems="line, equal weights"), jobs=1)
    assert table.bound.notna().all()
    assert (table.slack >= 0).all()
    assert (table.slack < 1).all()
    assert "slack" in pd.DataFrame(summary(table))


def test_without_bounds_there_is_no_slack():
    table = run_experiment(bounds(*FEW, 'bound = "none"', problems="line, equal weights"))
    assert table.bound.isna().all()
    assert table.slack.isna().all()


def test_an_unknown_effort_is_a_fault():
    with pytest.raises(ValueError, match="bound: got 'good', expected"):
        bounds('bound = "good"')


@pytest.mark.slow
def test_no_attack_contradicts_a_bound():
    table = run_experiment(bounds(*FEW).only(methods="corners"), jobs=2)
    found = table[table.slack.notna()]
    assert len(found) > 60
    assert not (found.slack < -1e-6).any()
