"""Security curves: the splits, the tables and their checks, and the command at a small size."""

from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from bilad.models import Ridge
from bilad.scripts.security import agreement as agreements
from bilad.scripts.security.agreement import KINDS, agreement
from bilad.scripts.security.certified import SMALL, by_brute_force, changed_at
from bilad.scripts.security.curves import CurveRow, claims, summary
from bilad.scripts.security.flips import accuracies
from bilad.scripts.security.settings import MODELS, MOVED, split_of
from bilad.scripts.security_curves import security_curves
from bilad.solvers import fit


@pytest.fixture
def command():
    app = typer.Typer()
    app.command()(security_curves)
    return partial(CliRunner().invoke, app)


@pytest.fixture
def row():
    return CurveRow("", "svm", 2.0, "kkt", 0, 5.0, loss=1.0, error=0.25)


@pytest.mark.parametrize("name", MODELS)
def test_a_split_is_standardised_and_disjoint(name):
    one, other = split_of(name, 0), split_of(name, 1)
    assert one.model.data.shape == other.model.data.shape
    assert one.model.data.mean(axis=0) == pytest.approx(np.zeros(one.model.d), abs=1e-12)
    assert one.model.data.std(axis=0) == pytest.approx(np.ones(one.model.d))
    assert not np.array_equal(one.y_test, other.y_test)
    assert len(set(one.moved.tolist())) == MOVED
    rows = np.vstack([one.model.data, one.X_validation, one.X_test])
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert one.is_classification == (name != "diabetes")


def test_losses_are_those_of_the_trained_model():
    for name in ("svm", "diabetes"):
        given = split_of(name, 0)
        scores = given.X_test @ fit(given.model).theta[:-1] + fit(given.model).theta[-1]
        errors = (scores - given.y_test) ** 2 if name == "diabetes" else scores * given.y_test < 0
        loss, error = given.losses(given.model)
        assert error == pytest.approx(errors.mean())
        before = given.losses(given.model.replace(targets=-given.model.targets))
        assert before[0] > loss
        assert before[1] > error


def test_agreement_is_reported_where_it_is():
    assert [cells["status"] for cells in agreement(4)] == ["agrees"] * len(KINDS)


def test_disagreement_is_reported(monkeypatch):
    wrong = replace(KINDS[0], estimator=lambda model: KINDS[0].estimator(_with_penalty(model)))
    assert agreement(1, [wrong])[0]["status"] == "differs"
    monkeypatch.setattr(agreements, "adjoint", lambda model, *rest: model.parts)
    assert agreement(1, KINDS[:1])[0]["status"] == "differs"


def _with_penalty(model):
    return type(model)(model.data, model.targets, model.penalty * (1 + 1e-4))


def test_tables_show_means_and_quartiles(row):
    rows = [replace(row, split=k, loss=float(k), error=0.1 * k) for k in range(5)]
    [cells] = summary(rows)
    assert cells["validation loss"] == 2.0
    assert cells["quartiles of test error"] == "0.1 .. 0.3"
    [cells] = accuracies(rows, [])
    assert cells["accuracy"] == pytest.approx(0.8)
    assert cells["flipped"] == "2%"


def test_a_lost_claim_is_lost(row):
    rows = [
        replace(row, method=method, split=split, loss=loss + split)
        for method, loss in (("kkt", 1.0), ("hypergradient", 2.0), ("pgd", 1.5))
        for split in range(3)
    ]
    found = {cells["expected"]: (cells["status"], cells["splits"]) for cells in claims(rows)}
    assert found == {
        "hypergradient >= pgd": ("holds", "3 of 3"),
        "kkt >= hypergradient": ("lost", "0 of 3"),
    }
    assert len(claims([replace(one, model="ridge") for one in rows])) == 1  # only for the SVM


def test_the_command_continues_where_it_was(command, tmp_path):
    options = ["--parts", "curves,flips", "--models", "diabetes,logistic", "--splits", "1"]
    options += ["--seconds", "0.2", "--budgets", "2,1", "--flips", "3", "--out", str(tmp_path)]
    options += ["--methods", "random,greedy,hypergradient"]
    first = command(options)
    assert first.exit_code == 0, first.output
    assert "hypergradient >= random" not in first.output
    assert "accuracy" in first.output
    assert first.output.count("split 0 |") == 2 * 2 * 2 + 3
    assert (tmp_path / "security_curves.svg").read_text().startswith("<?xml")
    for again in (options, ["--parts", "curves,flips", "--from", str(tmp_path), *options[-4:]]):
        shown = command(again)
        assert shown.exit_code == 0, shown.output
        assert "split 0 |" not in shown.output
        assert first.output[first.output.index("Features of") :][:500] in shown.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--budgets", "x"], "budgets: got 'x', expected positive numbers"),
        (["--budgets", "0"], "budgets: got '0'"),
        (["--flips", "1.5"], "flips: got '1.5', expected whole numbers"),
        (["--models", "forest"], "models: got 'forest'"),
        (["--methods", "kkt,none"], "methods: got 'none'"),
        (["--parts", "all"], "parts: got 'all'"),
        (["--parts", "curves", "--from", "nowhere"], "from: got nowhere, expected a folder with"),
    ],
)
def test_options_are_checked(command, options, words, tmp_path):
    result = command([*options, "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert words in result.output
    assert not list(tmp_path.iterdir())


def test_certified_predictions_are_those_that_no_flips_change():
    cells = by_brute_force(1, (1, 2, 3))
    assert [one["false certificates"] for one in cells] == [0, 0, 0]
    for one in cells:
        assert 0 < one["certified"] == one["unchanged by all flips"] < one["predictions"]


def test_brute_force_counts_the_flips():
    given = split_of("ridge", 0)
    model = Ridge(given.model.data[:SMALL, :2], given.model.targets[:SMALL], intercept=True)
    X = given.X_test[:5, :2]
    before = fit(model).predict(X) >= 0
    expected = np.full(5, np.inf)
    for count in (2, 1):
        for chosen in combinations(range(SMALL), count):
            targets = model.targets.copy()
            targets[list(chosen)] *= -1
            expected[(fit(model.replace(targets=targets)).predict(X) >= 0) != before] = count
    assert changed_at(model, X, 2).tolist() == expected.tolist()
