"""Options of the command line as learning models, perturbations and problems."""

import numpy as np
import pandas as pd
import pytest

from bilad.models import ArgumentError
from bilad.scripts.experiments.specification import read_specification
from bilad.scripts.options import DataOptions, ModelOptions, PerturbationOptions
from bilad.scripts.settings import SETTINGS, subject_of
from bilad.scripts.subject import arguments


def subject(data, **options):
    """Return the subject of options from all groups."""
    groups = [
        group(**{name: options.pop(name) for name in group.__dataclass_fields__ if name in options})
        for group in (DataOptions, ModelOptions, PerturbationOptions)
    ]
    assert not options
    return subject_of(data, *groups)


def test_a_setting_stands_for_its_options():
    setting, found = SETTINGS["iris"], subject("iris")
    assert np.array_equal(found.model.data, setting.model().data)
    assert found.bl1.budget == found.bl2.radius == setting.budget
    assert found.bl2.target == setting.target


@pytest.mark.parametrize("scale", [1e-12, 10.0, 1e200])
def test_scaled_data_keep_their_digits(scale):
    data = subject("iris", gamma=1.0, weights="complete").model.data
    scaled = subject("iris", gamma=1.0, weights="complete", scale=scale).model.data
    np.testing.assert_allclose(scaled, data * scale, rtol=1e-14)
    assert repr(float(scaled[0, 0])) == repr(float(f"{5.1 * scale:.15g}"))


def test_an_option_changes_a_setting_and_gamma_names_a_data_set():
    changed = subject("iris", kind="additive", points="51,60:62", budget=3.0)
    assert (changed.bl1.perturbation.dim, changed.bl1.budget, changed.bl2.radius) == (3, 3.0, 3.0)
    assert changed.model.n == 100
    whole = subject("iris", gamma=1.0)
    assert whole.model.data.shape == (150, 4)
    assert whole.model.graph.m > 0


def test_the_problem_is_bl2_if_a_target_is_given():
    assert subject("iris").problem.sense == "max"
    least = subject("iris", target=100.0).problem
    assert (least.sense, least.target, least.radius) == ("min", 100, 8)


def test_the_specification_has_the_same_problems():
    found = subject("iris", gamma=1.0, points="0:2", features="petal width (cm)",
                    budget=1.0, target=10.0)  # fmt: skip
    given = found.specification | {"methods": {"corners": {}}}
    sizes = [run.problem.perturbation.dim for run in read_specification(given).runs]
    assert sizes == [2, 2]
    problems = {run.problem.sense: run.problem for run in read_specification(given).runs}
    assert problems["min"].target == 10
    assert problems["max"].budget == problems["min"].radius == 1
    assert np.array_equal(problems["max"].model.graph.weights, found.model.graph.weights)


@pytest.fixture
def flowers(tmp_path):
    """Return a CSV file with two features and a column of text."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(8, 2)) + 3, columns=["height", "width"])
    frame["kind"] = ["rose", "tulip"] * 4
    frame.to_csv(tmp_path / "flowers.csv", index=False)
    return tmp_path / "flowers.csv"


def test_few_points_have_fewer_neighbours(flowers):
    assert subject(str(flowers), label="kind", gamma=1.0).model.graph.m == 8 * 7 // 2


@pytest.mark.parametrize("model", ["ridge", "logistic", "svm"])
def test_linear_models_take_the_label_column(flowers, model):
    found = subject(str(flowers), label="kind", model=model, penalty=2.0, points="0:3")
    assert found.model.penalty == 2
    assert set(found.model.targets) == {-1, 1}
    assert found.bl1.perturbation.dim == 6


def test_ridge_predicts_a_column_by_its_name(flowers):
    found = subject(str(flowers), label="kind", model="ridge", target_column="width")
    assert found.model.data.shape == (8, 1)
    assert np.array_equal(found.model.targets, found.sample.data[:, 1])


def test_flips_are_counted(flowers):
    found = subject(str(flowers), label="kind", model="logistic", kind="flips", budget=2.0)
    assert found.bl1.norm_name == "count"


def test_a_warning_where_the_weights_vanish():
    with pytest.warns(UserWarning, match="less than 1e-06.*--standardise"):
        assert subject("wine", gamma=1.0).model.n == 178
    assert subject("wine", gamma=1.0, standardise=True).model.n == 178


def test_standardised_data(flowers):
    found = subject(str(flowers), label="kind", gamma=1.0, standardise=True)
    assert np.allclose([found.model.data.mean(axis=0), found.model.data.std(axis=0)], [[0], [1]])
    assert "standardised" in found.describe()
    record = found.record("cluster", {})
    assert record["data"]["standardised"]
    assert record["data"]["features"] == ["height", "width"]
    assert len(record["data"]["sha256"]) == 64
    assert not subject(str(flowers), label="kind", gamma=1.0).record("", {})["data"]["standardised"]


def test_arguments_give_the_options_again():
    options = DataOptions(rows="0:5", standardise=True), ModelOptions(gamma=0.5)
    assert arguments(*options) == ["--rows", "0:5", "--standardise", "--gamma", "0.5"]


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        ("digits", {}, "gamma: got nothing, expected .*`bilad path digits`"),
        ("irs", {"gamma": 1.0}, "data: got 'irs', .*did you mean 'iris'"),
        ("nothing.csv", {"gamma": 1.0}, "data: got 'nothing.csv', expected a file that exists"),
        ("iris", {"gamma": -1.0}, "gamma: got -1.0"),
        ("iris", {"gamma": 1.0, "p": 3.0}, "p: got 3.0"),
        ("iris", {"gamma": 1.0, "neighbours": 150}, "neighbours: got 150, expected fewer"),
        ("iris", {"gamma": 1.0, "phi": -1.0}, "phi: got -1.0"),
        ("iris", {"gamma": 1.0, "weights": "all"}, "weights: got 'all'"),
        ("iris", {"gamma": 1.0, "weights": "complete", "weight": "x"}, "weight: got 'x'"),
        ("iris", {"gamma": 1.0, "rows": "0:151"}, "rows: got '0:151'"),
        ("iris", {"gamma": 1.0, "rows": "5"}, "data: got shape"),
        ("iris", {"gamma": 1.0, "columns": "petal width"}, "columns: got .*did you mean"),
        ("iris", {"gamma": 1.0, "scale": 0.0}, "scale: got 0.0"),
        ("iris", {"gamma": 1.0, "scale": 1e308}, "scale: got 1e.308, .*all values are finite"),
        ("iris", {"gamma": 1.0, "label": "kind"}, "label: got 'kind', expected nothing"),
        ("iris", {"kind": "shfit"}, "kind: got 'shfit', .*did you mean 'shift'"),
        ("iris", {"kind": "targets", "features": None}, "kind: got part 'targets'"),
        ("iris", {"points": "0:101"}, "points: got '0:101'"),
        ("iris", {"gamma": 1.0, "features": "widht"}, "features: got 'widht'"),
        ("iris", {"norm": "3"}, "norm: got 3.0"),
        ("iris", {"norm": "long"}, "norm: got 'long'"),
        ("iris", {"norm": "count"}, "kind: got entries of eps"),
        ("iris", {"budget": 0.0}, "budget: got 0.0"),
        ("iris", {"target": 1e9}, "target: got"),
        ("iris", {"deviation": "delt"}, "deviation: got 'delt'.*did you mean 'delta'"),
        ("iris", {"deviation": "distance"}, "deviation: got 'distance'"),
        ("iris", {"model": "tree"}, "model: got 'tree'"),
        ("diabetes", {"model": "ridge"}, "label: got data without classes"),
        ("diabetes", {"model": "ridge", "target_column": "x"}, "target_column: got 'x'"),
        ("iris", {"model": "logistic"}, "targets: got"),
        # An option that would have no effect.
        ("iris", {"neighbours": 3, "gamma": None}, "neighbours: .* with --weights complete"),
        ("iris", {"gamma": 1.0, "weight": "2"}, "weight: .* with --weights knn"),
        ("iris", {"gamma": 1.0, "penalty": 2.0}, "penalty: .* with --weights knn"),
        ("iris", {"model": "ridge", "p": 2.0}, "p: .* with --model ridge"),
        ("iris", {"gamma": 1.0, "kind": "edges", "features": "0"}, "features: .* --kind edges"),
    ],
)
def test_wrong_options_are_named(data, options, said):
    with pytest.raises(ArgumentError, match=f"^{said}"):
        problems(data, **options)


def problems(data, **options):
    found = subject(data, **options)
    return found.bl1, found.bl2  # they are made when they are first used
