"""A specification gives its runs, or all of its faults with their places."""

import contextlib
import copy
import time
from pathlib import Path

import numpy as np
import pyomo.environ as pyo
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans

from bilad.formulations import Follower
from bilad.models import ArgumentError, BlackBox, MaxDeviation, Perturbation
from bilad.scripts.experiments.faults import Lines, SpecificationError
from bilad.scripts.experiments.fingerprint import fingerprint
from bilad.scripts.experiments.specification import read_specification

FAULTY = """\
colour = "red"
seeds = [0, -1]
closing = "rays"

[limits]
solves = -2
kill = "soon"

[data.ok]
kind = "clouds"
points = 12
[data.missing]
source = "nowhere.csv"
[data.strange]
kind = "cloud"

[models.bad]
kind = "convex clustering"
gamma = -2.4
[models.short]
kind = "convex clustering"
[models.ok]
kind = "convex clustering"
gamma = 2.4
[models."k-means"]
kind = "clusterer"
name = "KMean"

[perturbations.many]
kind = "additive"
points = 200
[perturbations.ok]
kind = "additive"
points = 2

[methods.corners]
corner = 3
[methods.random]
corners = -1
[methods.nothing]
[methods.kkt]
vary.relaxation = ["scholtes", "scholte"]

[[problems]]
data = ["ok", "other"]
models = ["bad", "ok",
    "k-means"]
perturbations = ["many", "ok"]
deviations = "dalta"
norms = [2, 3]
budgets = 1.0

[[problems]]
data = "ok"
models = "ok"
perturbations = "ok"
budgets = [1.0, 1.0, -3.0]
targets = ["50%", 1e9]

[[problems]]
python = "nofile.py"
"""
# The line of each fault, its path, and a word of what is said.
FAULTS = [
    (1, "colour", "'name'"),
    (2, "seeds[1]", "-1"),
    (3, "closing", "'ray'"),
    (6, "limits.solves", "-2"),
    (7, "limits.kill", "'soon'"),
    (13, "data.missing.source", "nowhere.csv"),
    (15, "data.strange.kind", "'clouds'"),
    (19, "models.bad.gamma", "-2.4"),
    (20, "models.short", "'gamma' is missing"),
    (27, "models.k-means.name", "'KMeans'"),
    (31, "perturbations.many.points", "200"),
    (37, "methods.corners.corner", "'corners'"),
    (39, "methods.random.corners", "-1"),
    (40, "methods.nothing", "'corners'"),
    (42, "methods.kkt.vary.relaxation", "'scholte'"),
    (45, "problems[0].data[1]", "'other'"),
    (49, "problems[0].deviations[0]", "'delta'"),
    (50, "problems[0].norms[1]", "3"),
    (57, "problems[1].budgets[1]", "twice"),
    (57, "problems[1].budgets[2]", "-3"),
    (58, "problems[1].targets[0]", "limit"),
    (58, "problems[1].targets[1]", "at most"),
    (61, "problems[2].python", "nofile.py"),
]


@pytest.fixture
def faults_of(tmp_path):
    def faults(text):
        path = tmp_path / "given.toml"
        path.write_text(text)
        with pytest.raises(SpecificationError) as error:
            read_specification(path)
        return error.value.faults

    return faults


def test_all_faults_are_listed_at_once_with_their_places(faults_of):
    found = faults_of(FAULTY)
    for line, path, word in FAULTS:
        (one,) = (f for f in found if f.startswith(f"line {line}, {path}: ") and word in f)
        assert one.count(word) >= 1
    # Beside them only the runs that the repeated budget repeats.
    assert len([f for f in found if "with seed" not in f]) == len(FAULTS)


def test_a_part_that_is_faulty_causes_no_further_faults(faults_of):
    found = faults_of(FAULTY)
    assert not [f for f in found if f.split(": ")[0].endswith("budgets[0]")]


def test_a_text_that_is_no_toml_has_one_fault(faults_of):
    (fault,) = faults_of("[data.a]\npoints = = 3\n")
    assert "line 2" in fault


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = '\udcff'", "\x00"])
def test_a_text_that_cannot_be_read_has_one_fault(tmp_path, text):
    path = tmp_path / "given.toml"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(SpecificationError) as error:
        read_specification(path)
    assert len(error.value.faults) == 1


@pytest.mark.parametrize("key", ["rows", "columns"])
@pytest.mark.parametrize("given", ["0:99999999999999", 10**30, 0, "1:0", "a:b", [1, 1]])
def test_rows_that_do_not_exist_are_faults(line, key, given):
    line["data"]["line"] = {"source": "iris", key: given}
    with pytest.raises(SpecificationError, match=f"data.line.{key}"):
        read_specification(line)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"problems": 3},
        {"problems": [3]},
        {"problems": {"mine": 3}, "methods": {"corners": {}}},
        {"methods": 3, "data": [1], "limits": 4},
        {"methods": {"corners": 3}},
    ],
)
def test_other_shapes_are_faults_too(given):
    with pytest.raises(SpecificationError):
        read_specification(given)
    with pytest.raises(ArgumentError, match="a path or a mapping"):
        read_specification(3)


def test_the_line_of_a_key_is_that_of_its_statement():
    text = (
        '# a comment\na.b = 1\n"c d" = [\n  1, # ]\n  2]\n'
        '[[t]]\nx = """\n[no]\ny = 1\n"""\n[[t]]\nx = 2\n[t.u]\nv = {w = 1}\n'
    )
    lines = Lines(text)
    assert lines.number(("a", "b")) == 2
    assert lines.number(("c d", 1)) == 3
    assert [lines.number(("t", k, "x")) for k in (0, 1)] == [7, 12]
    assert lines.number(("t", 1, "u", "v", "w")) == 14
    assert lines.number(("t", 1, "u", "none")) == 13  # the nearest place that contains it
    assert lines.number(("no",)) == Lines("").number(("no",)) == 0


def test_runs_are_the_product_of_all_that_is_listed(line):
    line |= {"tolerances": [1e-8, 1e-6]}
    line["methods"] = {"corners": {"vary": {"corners": [2, 3]}}, "random": {}}
    runs = read_specification(line).runs
    assert len(runs) == 2 * 2 * 3 * 3  # seeds, tolerances, problems, methods
    assert len({run.key for run in runs}) == len(runs)
    assert {run.base for run in runs} == {"corners", "random"}
    assert "corners, corners = 3, tol = 1e-06" in {run.label for run in runs}
    assert {run.solves for run in runs} == {12}


def test_a_run_is_killed_some_time_after_its_limit_in_seconds(line):
    line |= {"limits": {"seconds": 20.0}, "methods": ["corners", "ray"], "seeds": [0]}
    kills = {run.method: run.kill for run in read_specification(line).runs}
    assert kills == {"corners": 100.0, "ray": None}  # a ray is not limited in seconds
    kills = {run.kill for run in read_specification(line, ["limits.kill = 7"]).runs}
    assert kills == {7.0}
    for change in ("limits.kill = 1e300", "limits.seconds = 1e300"):  # no timer takes that
        kills = {run.kill for run in read_specification(line, [change]).runs if run.kill}
        assert kills == {2e6}


def test_methods_without_options_may_be_a_list(line):
    named = read_specification(line | {"methods": ["corners", "random"]}).runs
    tables = read_specification(line | {"methods": {"corners": {}, "random": {}}}).runs
    assert [run.key for run in named] == [run.key for run in tables]
    with pytest.raises(SpecificationError, match="'corner'"):
        read_specification(line | {"methods": ["corner"]})


def test_the_key_depends_on_what_determines_the_result(line):
    def keys():
        return [run.key for run in read_specification(line).runs]

    before = keys()
    assert keys() == before
    line["limits"]["solves"] = 13
    assert not set(keys()) & set(before)
    line["limits"]["solves"] = 12
    line["data"]["line"]["points"] = 10
    assert not set(keys()) & set(before)


def test_the_key_depends_on_the_content_of_a_data_file(line, tmp_path):
    file, path = tmp_path / "points.csv", tmp_path / "spec.toml"
    data = np.arange(9.0)[:, None] ** 2
    path.write_text(
        'methods.corners = {}\ndata.mine.source = "points.csv"\n'
        'models.cc = {kind = "convex clustering", gamma = 0.3}\n'
        'perturbations.all = {kind = "additive", points = "0:9"}\n'
        '[[problems]]\ndata = "mine"\nmodels = "cc"\nperturbations = "all"\nbudgets = 1.0\n'
    )
    keys = []
    for points in (data, data, data + 1e-9):
        file.write_text("x\n" + "\n".join(f"{x:.12f}" for x in points[:, 0]))
        keys.append(read_specification(path).runs[0].key)
    assert keys[0] == keys[1] != keys[2]


def test_statements_replace_values_of_a_specification(line):
    runs = read_specification(line, ["limits.solves = 5", "seeds = [7]"]).runs
    assert {(run.solves, run.seed) for run in runs} == {(5, 7)}
    assert line["limits"]["solves"] == 12
    with pytest.raises(SpecificationError, match="seeds = ="):
        read_specification(line, ["seeds = ="])


def test_some_runs_can_be_chosen(line):
    experiment = read_specification(line)
    some = experiment.only("budget 3", "random")
    assert {run.base for run in some.runs} == {"random"}
    assert len(some.runs) == 2
    with pytest.raises(ArgumentError, match="budget 1"):
        experiment.only("budget 4")
    with pytest.raises(ArgumentError, match="'corners', 'random'"):
        experiment.only(None, "corner")


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        (
            {"training": 9, "validation": 1},
            "data.line.validation: got 10, expected at most 9 points",
        ),
        ({"training": 10}, "data.line.training: got 10, expected at most 9 points"),
        ({"validation": 2}, "data.line.validation: got 2, expected the number of training points"),
        ({"standardise": 1}, "data.line.standardise: got 1, expected True or False"),
        ({"train": 3}, "data.line.train: got 'train', expected one of"),
    ],
)
def test_a_split_is_checked(line, keys, fault):
    line["data"]["line"] |= keys
    with pytest.raises(SpecificationError) as error:
        read_specification(line)
    assert [one for one in error.value.faults if one.startswith(fault)]


def test_a_split_draws_disjoint_points_which_the_key_contains(line):
    line["data"]["line"] = {"source": "breast-cancer", "training": 100, "standardise": True}
    line["models"]["cc"] = {"kind": "svm"}
    line["problems"][0] |= {"deviations": "validation-loss"}
    runs = {}
    for validation in (100, 101):  # the test points differ, and the model does not
        line["data"]["line"]["validation"] = validation
        runs[validation] = read_specification(line).runs[0]
    one, other = runs.values()
    data = one.problem.model.data
    np.testing.assert_allclose(data.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(data.std(axis=0), 1)
    every = np.vstack([data, one.problem.deviation.held_out[0], one.test[0]])
    assert every.shape == np.unique(every, axis=0).shape == (569, 30)
    assert np.array_equal(data, other.problem.model.data)
    assert one.key != other.key


def test_a_seed_draws_the_data_and_the_entries(line):
    problems = {run.seed: run.problem for run in read_specification(line).runs}
    assert not np.array_equal(problems[0].model.data, problems[1].model.data)
    first, second = (one.perturbation.operators["data"].toarray() for one in problems.values())
    assert first.shape == second.shape == (9, 2)


def pyomo_model():
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(0, 5), initialize=1.0)
    m.lower = Follower()
    m.lower.y = pyo.Var(bounds=(0, 2))
    m.lower.cost = pyo.Objective(expr=(m.lower.y - m.x) ** 2)
    m.cost = pyo.Objective(expr=-m.x - m.lower.y, sense=pyo.minimize)
    return m


def test_problems_may_be_objects_with_an_optimum(line):
    one = read_specification(line).runs[0].problem
    assert isinstance(one, MaxDeviation)
    given = {"methods": {"corners": {}}, "problems": {"mine": (one, 4.0), "pyomo": pyomo_model()}}
    mine, model = read_specification(given).runs
    assert (mine.names["problem"], mine.optimum, mine.names["question"]) == ("mine", 4.0, "BL1")
    assert (model.names["question"], model.names["sense"]) == ("bilevel", "min")


def test_a_python_file_makes_problems(tmp_path):
    source = tmp_path / "mine.py"
    source.write_text(
        "from bilad.scripts.bilevel_problems import problems as published\n"
        "def problems():\n"
        "    return dict(list(published().items())[:2])\n"
        "def wrong():\n    raise KeyError('lost')\n"
        "def nothing():\n    return {}\n"
    )
    path = tmp_path / "spec.toml"
    text = '[methods.kkt]\n[[problems]]\npython = "mine.py"\n'
    path.write_text(text)
    runs = read_specification(path).runs
    assert len(runs) == 2
    assert runs[0].build().name == runs[0].names["problem"]
    for function, word in (("wrong", "lost"), ("nothing", "mapping"), ("other", "a function")):
        path.write_text(f'{text}function = "{function}"\n')
        with pytest.raises(SpecificationError, match=f"line 3.*{word}|line 4.*{word}"):
            read_specification(path)


def test_a_plugin_registers_parts_and_methods(tmp_path, monkeypatch):
    from bilad.scripts.experiments.parts import SOURCES
    from bilad.solvers.upper import UPPER_METHODS

    monkeypatch.setattr(UPPER_METHODS, "_known", dict(UPPER_METHODS._known))
    monkeypatch.setitem(SOURCES, "pair", None)  # restored after the test
    (tmp_path / "own.py").write_text(
        "import numpy as np\n"
        "from bilad.scripts.experiments.parts import SOURCES, Sample\n"
        "from bilad.solvers import register_method\n"
        "def pair(rng, *, distance):\n    return Sample(np.array([[0.0], [distance]]))\n"
        "SOURCES['pair'] = pair\n"
        "register_method('still', lambda problem, rng: lambda lower, trace: None)\n"
    )
    path = tmp_path / "spec.toml"
    path.write_text(
        'plugins = ["own.py"]\nmethods.still = {}\ndata.two = {kind = "pair", distance = 3.0}\n'
        'models.cc = {kind = "convex clustering", gamma = 1.0}\n'
        'perturbations.all = {kind = "additive", points = "0:2"}\n'
        '[[problems]]\ndata = "two"\nmodels = "cc"\nperturbations = "all"\nbudgets = 1.0\n'
    )
    (run,) = read_specification(path).runs
    assert run.problem.model.data.tolist() == [[0.0], [3.0]]
    path.write_text(path.read_text().replace("own.py", "none.py"))
    with pytest.raises(SpecificationError, match=r"line 1, plugins\[0\]"):
        read_specification(path)


def test_the_specification_of_the_documentation_has_no_fault_and_the_faults_that_it_shows(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "experiments.md").read_text()
    text = page.partition("```toml\n")[2].partition("```")[0]
    path = tmp_path / "mine.toml"
    path.write_text(text)
    assert len(read_specification(path, ["seeds = [0]"]).runs) == 2 * 5 * 3
    faulty = text.replace("gamma = 10.0", "gamma = -10.0")
    path.write_text(faulty.replace("vary.starts = [1, 5]", 'starts = "many"'))
    with pytest.raises(SpecificationError) as error:
        read_specification(path)
    assert all(fault in page for fault in error.value.faults)


WRONG = [None, True, -1, 0, float("nan"), "x", [], [[]], {"a": 1}, [1, 1], ["a", 1], 10**400, b"x"]


def places(value, before=()):
    """Yield the paths of all values within a specification."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inside:
        yield (*before, key)
        if isinstance(one, dict | list):
            yield from places(one, (*before, key))


@pytest.mark.parametrize("offset", range(3))
def test_a_wrong_value_anywhere_is_a_fault_and_never_another_error(line, offset):
    """One in twenty-one of all places with all values for each offset."""
    line |= {"tolerances": 1e-8, "closing": "none", "restarts": False, "name": "a"}
    line["limits"] |= {"seconds": 1.0, "kill": 5.0}
    line["methods"]["kkt"] = {"vary": {"relaxation": ["smoothing"]}, "closing": "ray"}
    every = [(place, wrong) for place in places(line) for wrong in WRONG]
    assert len(every) > 500
    for place, wrong in every[offset * 7 :: 21]:
        given = copy.deepcopy(line)
        inner = given
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = wrong
        with contextlib.suppress(SpecificationError):
            read_specification(given)


def listed_faults(given):
    with pytest.raises(SpecificationError) as error:
        read_specification(given)
    return "\n".join(error.value.faults)


@pytest.mark.parametrize("key", ["seeds", "family"])
def test_a_fault_of_a_block_does_not_hide_the_others(line, key):
    line["problems"][0] |= {key: [-1], "deviations": "other"}
    listed = listed_faults(line)
    assert f"problems[0].{key}" in listed
    assert "problems[0].deviations[0]" in listed
    del line["problems"][0]["deviations"]
    assert "deviations" not in listed_faults(line)


def test_lines_are_those_of_an_editor(tmp_path):
    """A separator of Unicode does not end a line, and a byte order mark is no fault."""
    path = tmp_path / "spec.toml"
    path.write_text('\ufeffname = "a\u2028b\u0085c"\nclosing = "rays"\n', encoding="utf-8")
    assert listed_faults(path).startswith("line 2, closing")


def test_a_single_table_of_problems_is_named(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text("methods = ['corners']\n[problems]\nbudgets = 1.0\n")
    assert listed_faults(path) == "line 2, problems: got dict, expected tables [[problems]]"


def test_an_option_that_also_varies_is_a_fault(line):
    line["methods"] = {"corners": {"corners": 1, "vary": {"corners": [2, 3]}}}
    assert "methods.corners.vary.corners: 'corners' stands twice" in listed_faults(line)


def test_an_option_that_cannot_be_sent_to_a_process_is_a_fault(line):
    line["methods"] = {"corners": {"starts": (start for start in [[1.0, 2.0]])}}
    assert "methods.corners.starts: got generator, expected a value that can be" in listed_faults(
        line
    )


def test_an_option_may_vary_over_arrays(line):
    starts = [[np.array([1.0, 2.0])], [np.array([2.0, 1.0])]]
    line["methods"] = {"corners": {"vary": {"starts": starts}}}
    assert len(read_specification(line).runs) == 12


def test_a_seed_that_generators_do_not_take_is_a_fault(line):
    assert "seeds[0]: got 4294967296, expected at most 4294967295" in listed_faults(
        line | {"seeds": [2**32]}
    )


def test_too_many_seeds_are_a_fault_at_once(line):
    """No run of the others is prepared, and no two seeds are compared."""
    began = time.perf_counter()
    expected = "seeds: got 1000000000, expected a number from 1 to 100000, or a list"
    assert expected in listed_faults(line | {"seeds": 10**9})
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("optimum", [(None,), ("x",), (1.0, 2.0)])
def test_an_optimum_that_is_no_number_is_a_fault(line, optimum):
    problem = read_specification(line).runs[0].problem
    listed = listed_faults({"methods": ["corners"], "problems": {"a": (problem, *optimum)}})
    assert (
        listed
        == f"problems.a: got {list(optimum)}, expected a problem, or a problem and its optimum"
    )


class Threshold:
    def __init__(self, level):
        self.level = level

    def fit_predict(self, X):
        return (X[:, 0] > self.level).astype(int)


def test_the_fingerprint_of_a_black_box_depends_on_all_that_is_stored_in_it():
    """The `repr` of an estimator abridges arrays, or shows only its address."""
    data = np.random.default_rng(0).normal(size=(30, 2))

    def made(estimator):
        free = Perturbation.additive(data.shape, points=[0])
        return fingerprint(MaxDeviation(BlackBox(data, estimator), free, 1.0))

    centres = data[:3] + 1e-12
    first, second = (KMeans(3, init=init, n_init=1, random_state=0) for init in (data[:3], centres))
    assert made(first) == made(clone(first)) != made(second)
    assert made(Threshold(0.0)) == made(Threshold(0.0)) != made(Threshold(0.1))


def test_an_argument_with_another_name_is_shown_as_its_key(line):
    line["data"]["none"] = {"source": "none.csv"}
    line["models"]["wide"] = {"kind": "convex clustering", "gamma": 1.0, "neighbours": 99}
    line["problems"][0] |= {"data": ["line", "none"], "models": ["cc", "wide"]}
    with pytest.raises(SpecificationError) as caught:
        read_specification(line)
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "data.none.source", "models.wide.neighbours",
    ]  # fmt: skip
