"""The robustness summary: its contents, and the validity of what it calls proved."""

import json
import math
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from fractions import Fraction

import matplotlib.image
import numpy as np
import pytest
from typer.testing import CliRunner

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.problem import LENGTH_TOL
from bilad.scripts.certificates.ray_steps import changes, moved_points, ray_steps
from bilad.scripts.certificates.summary_report import rounded_down, rounded_up
from bilad.scripts.cli import app
from bilad.scripts.commands import certify as certify_module
from bilad.scripts.options import ModelOptions
from bilad.scripts.settings import subject_of
from bilad.solvers import certify as known
from bilad.solvers import cluster
from bilad.solvers.certificates.counterexample import check_counterexample
from bilad.solvers.clustering.parametric.parametric_path import parametric_path


def run(*arguments):
    return CliRunner().invoke(app, ["certify", *map(str, arguments)])


def summary_in(folder):
    return json.loads((folder / "summary.json").read_text())["result"]


@pytest.fixture(scope="module")
def two_clouds(tmp_path_factory):
    """Return a CSV file with twelve points in the plane."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(12, 2)) + 5 * (np.arange(12) < 5)[:, None]
    path = tmp_path_factory.mktemp("data") / "clouds.csv"
    np.savetxt(path, data, delimiter=",", header="x,y", comments="")
    return path


@pytest.fixture(scope="module")
def iris_summary(tmp_path_factory):
    out = tmp_path_factory.mktemp("summary")
    result = run("iris", "--out", out)
    assert result.exit_code == 0, result.output
    return result.output, summary_in(out), out


def test_iris_is_known_exactly(iris_summary):
    text, summary, _ = iris_summary
    assert summary["radius"]["exact"]
    assert summary["radius"]["lower"] == pytest.approx(0.4)
    assert summary["certified_interval_of_the_ray"] == pytest.approx([-0.4, 3.6])
    assert abs(Fraction(summary["first_step"]["exact"])) >= Fraction(summary["radius"]["lower"])
    assert summary["points"] == [70]
    assert summary["bl1"]["found"] == summary["bl1"]["bound"] == 4998
    assert summary["bl2"]["bound"] <= summary["bl2"]["found"] == pytest.approx(1.968)
    assert "splits off point 70" in text
    assert "Theorem 1 does not apply" in text


def test_the_attack_at_the_radius_can_be_checked(iris_summary):
    """The file is sufficient, with the command that is printed after the summary."""
    text, summary, out = iris_summary
    size = check_counterexample(out / "counterexample.json")
    lower, upper = summary["radius"]["lower"], summary["radius"]["upper"]
    assert size == upper
    assert lower < upper <= lower * (1 + LENGTH_TOL)
    program = shlex.split(text.splitlines()[-1])
    assert program[:2] == ["python", "-c"]
    checked = subprocess.run([sys.executable, *program[1:]], capture_output=True, text=True)
    assert (float(checked.stdout), checked.returncode) == (size, 0)


def test_the_status_is_that_of_certify(iris_summary):
    text, summary, _ = iris_summary
    found = known(subject_of("iris").bl1)
    assert summary["radius"]["status"] == found.status == "attacked"
    assert (summary["radius"]["lower"], summary["radius"]["upper"]) == (found.lower, found.upper)
    assert "attacked: some ||eps|| <= 8 changes the partition" in text


@pytest.mark.parametrize(
    ("budget", "kind", "status", "said"),
    [
        (0.3, "shift", "robust", "0.4 mm (exact) <= radius <= 0.4"),
        (3.0, "additive", "robust", "3.22314765 mm (exact) <= radius <= 3.2231478"),
        (3.3, "additive", "attacked", "3.22314765 mm (exact) <= radius <= 3.2231478"),
    ],
)
def test_budgets_below_and_above_the_radius(tmp_path, budget, kind, status, said):
    """The radius is 0.4 mm for one shift, and 3.223 mm for three individual points."""
    moving = ["--points", "50:53"] if kind == "additive" else []
    result = run("iris", "--budget", budget, "--kind", kind, *moving, "--target", 2,
                 "--seconds", 0.3, "--out", tmp_path)  # fmt: skip
    assert result.exit_code == 0, result.output
    summary = summary_in(tmp_path)
    assert summary["radius"]["status"] == status
    assert said in result.output
    assert (tmp_path / "counterexample.json").exists()
    assert "To check the counterexample" in result.output
    assert (summary["bl1"]["bound"] == 0) == (status == "robust")


def test_bl2_has_no_limit_without_a_budget(tmp_path):
    """Point 0 must move by 1.9 to leave its cluster, more than the default budget of (BL1)."""
    (tmp_path / "line.csv").write_text("x\n0\n0.1\n10\n10.1\n")
    given = (tmp_path / "line.csv", "--gamma", 1, "--weights", "complete", "--points", "0:1",
             "--seconds", 0.3, "--out", tmp_path, "--force")  # fmt: skip
    assert run(*given).exit_code == 0
    summary = summary_in(tmp_path)
    assert summary["radius"]["status"] == "robust"
    assert summary["bl2"]["bound"] <= summary["bl2"]["found"] == pytest.approx(1.9, rel=1e-4)
    limited = run(*given, "--budget", 1)
    assert "BL2            no feasible eps, ||eps|| <= 1, has delta >= 2" in limited.output


def test_iris_moduli_are_in_order(iris_summary):
    calmness = iris_summary[1]["calmness"]
    # 20 of the 50 points of a cluster move alike: J averages.
    assert calmness["local"] == pytest.approx(math.sqrt(20 / 50))
    assert 0 < calmness["empirical"] <= calmness["everywhere"] == 1


def test_iris_recovery_brackets_the_exact_ends(iris_summary):
    found = iris_summary[1]["recovery"]["exact"]
    assert found["below"] <= 237 / 2450 <= found["low"]
    assert found["high"] <= 0.108 <= found["above"]


def test_the_pictures_open(iris_summary):
    _, _, out = iris_summary
    assert matplotlib.image.imread(out / "summary.png").shape == (600, 1200, 4)
    assert "<svg" in (out / "summary.svg").read_text()


@pytest.mark.slow
def test_a_csv_file_with_p_2_in_the_plane(two_clouds, tmp_path):
    result = run(
        two_clouds, "--gamma", 1.5, "--neighbours", 4, "--budget", 2, "--seconds", 0.3,
        "--out", tmp_path,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    summary = summary_in(tmp_path)
    assert 0 < summary["radius"]["lower"] <= summary["radius"]["upper"]
    assert not summary["radius"]["exact"]
    assert not summary["ray"]["exact"]
    assert "there may be others" in result.output
    assert 0 < summary["bl1"]["found"] <= summary["bl1"]["bound"] <= 12 * 11
    assert summary["radius"]["lower"] <= summary["bl2"]["bound"] <= summary["bl2"]["found"]
    assert summary["radius"]["upper"] < 3 * summary["radius"]["lower"]
    found = subject_of(str(two_clouds), ModelOptions(gamma=1.5, neighbours=4))
    before = cluster(found.bl1.model, refine=True)
    after = cluster(
        found.bl1.perturbation.apply(found.bl1.model, summary["radius"]["eps"]), refine=True
    )
    assert before.proved
    assert after.proved
    assert (before.labels != after.labels).any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "p"), [("shift", "2"), ("multiplicative", "2"), ("edges", "2"), ("edges", "1")]
)
def test_other_perturbations(two_clouds, tmp_path, kind, p):
    result = run(
        two_clouds, "--gamma", 1.0, "--neighbours", 3, "--kind", kind, "--points", "0:4", "--p", p,
        "--norm", "inf", "--seconds", 0.3, "--out", tmp_path,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    summary = summary_in(tmp_path)
    assert (summary["calmness"]["local"] is None) == (kind == "edges")
    low, high = summary["certified_interval_of_the_ray"]
    assert low <= 0 <= high
    lower = summary["radius"]["lower"]  # null stands for infinity
    assert lower is None or lower > 0


@pytest.mark.slow
def test_a_ray_of_ones_own(two_clouds, tmp_path):
    np.savetxt(tmp_path / "ray.txt", np.ones(24))
    common = (two_clouds, "--gamma", 1.0, "--seconds", 0.3, "--neighbours", 3, "--out", tmp_path)
    result = run(*common, "--ray", tmp_path / "ray.txt")
    assert result.exit_code == 0, result.output
    assert "0 changes of the partition found" in result.output, "all points move together"
    np.savetxt(tmp_path / "short.txt", np.ones(3))
    assert run(*common, "--ray", tmp_path / "short.txt", "--force").exit_code == 2


@pytest.mark.parametrize("content", ["nan", "1 x", "inf 1"])
def test_a_ray_that_is_no_direction_is_refused(content, tmp_path):
    (tmp_path / "ray.txt").write_text(content)
    result = run("iris", "--ray", tmp_path / "ray.txt", "--out", tmp_path)
    assert result.exit_code == 2
    assert "error --ray: got" in result.stderr


def test_a_wrong_target_and_a_missing_ray_are_reported_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr("bilad.scripts.certificates.robustness_summary.solve_lower", None)
    result = run("iris", "--target", 1e9, "--out", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("error --target: got 1000000000.0")
    result = run("iris", "--ray", tmp_path / "none.txt", "--out", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].endswith("none.txt: No such file or directory")


def test_names_of_files_are_shown_as_they_are(tmp_path):
    """A formula, markup, and the separators of the template of the text."""
    out, path = tmp_path / "[bold]out", tmp_path / "a$b_{$[red]|\n.csv"
    np.savetxt(path, [[0.0], [0.1], [1.0], [1.1]], header="x", comments="")
    result = run(path, "--gamma", 0.1, "--neighbours", 2, "--seconds", 0.3, "--out", out)
    assert result.exit_code == 0, result.output
    assert "a$b_{$[red]| .csv" in result.stdout
    assert "[bold]out" in result.stderr


def line(data, r, V, budget=10.0):
    A = np.array(data)[:, None]
    model = ConvexClustering(A, FusionGraph.complete(len(A)), r)
    return MaxDeviation(model, Perturbation.shift(np.array(V)[:, None]), budget)


def test_the_first_step_of_two_points():
    """Points at distance 3 with r = 1 merge at distance 2, eps = 1, and separate at eps = 5."""
    ray = ray_steps(line([0.0, 3.0], 1.0, [1.0, 0.0]), np.ones(1))
    assert ray.unchanged(0.0) == (-10.0, 1.0)
    assert (len(ray.steps), ray.first.exact, ray.first.labels.tolist()) == (2, "1", [0, 0])


def test_a_step_at_zero_leaves_no_interval():
    ray = ray_steps(line([0.0, 2.0], 1.0, [1.0, 0.0]), np.ones(1))
    assert ray.unchanged(0.0) == (0.0, 0.0)
    assert ray.first.outer == 0.0
    assert ray.first.labels.tolist() == [0, 1]


@pytest.mark.parametrize("pace", [3.0, -3.0, 10.0, -10.0])
def test_the_step_is_between_neighbouring_doubles(pace):
    """The change is at 1 / pace, which is no double; the nearest one is on either side of it."""
    first = ray_steps(line([0.0, 3.0], 1.0, [pace, 0.0]), np.ones(1)).first
    place = 1 / Fraction(pace)
    assert first.exact == str(place)
    assert first.outer == np.nextafter(first.inner, pace)
    assert abs(Fraction(first.inner)) < abs(place) < abs(Fraction(first.outer))


def test_weights_fade_from_zero_on():
    """Points at distance 2 with r = 2 separate when the edge has lost half its weight."""
    graph = FusionGraph.complete(2)
    model = ConvexClustering([[0.0], [2.0]], graph, 2.0)
    ray = ray_steps(MaxDeviation(model, Perturbation.edges(graph), 5.0), np.ones(1))
    assert (ray.low, ray.high) == (0.0, 1.0)
    assert ray.unchanged(0.0) == (0.0, 0.5)
    assert ray.first.exact == "1/2"


def test_the_interval_agrees_with_the_parametric_path(iris_summary):
    low, high = iris_summary[1]["certified_interval_of_the_ray"]
    subject = subject_of("iris")
    stairs = parametric_path(subject.bl1.model, subject.bl1.perturbation, -8, 8)
    assert (stairs.labels_at(low * (1 - 1e-12)) == stairs.labels_at(0.0)).all()
    assert (stairs.labels_at(high * (1 - 1e-12)) == stairs.labels_at(0.0)).all()
    assert (stairs.labels_at(low - 1e-9) != stairs.labels_at(0.0)).any()


def test_changes_in_words():
    before, after = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 2, 2, 2])
    assert changes(before, after) == [
        "cluster 0 (3 points) splits off point 2",
        "merge to cluster 2 (3 points): 2 of 2 points of cluster 1, 1 of 1 points of cluster 2",
    ]
    assert moved_points(before, after) == [2, 5]
    assert changes(before, before) == []


@pytest.mark.parametrize("value", [0.0139647058823537, -0.4000000000000007, 1 / 3, 12345678901.0])
def test_what_is_printed_is_on_the_safe_side(value):
    assert float(rounded_down(value)) <= value <= float(rounded_up(value))
    assert float(rounded_up(value)) == pytest.approx(value, rel=1e-8)


def test_what_needs_no_rounding():
    assert (rounded_down(0.5), rounded_up(math.inf), rounded_up(-0.0)) == ("0.5", "inf", "0")


def test_an_interrupted_radius_is_written(flowers, tmp_path, monkeypatch):
    """`certify` returns its result so far, which the command writes before it ends."""

    def interrupted(problem, **options):
        proof = known(problem, **options)
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return proof

    monkeypatch.setattr(certify_module, "prove", interrupted)
    options = ["--model", "logistic", "--label", "kind", "--points", 0, "--target", 1]
    result = run(flowers, *options, "--out", tmp_path)
    assert result.exit_code == 130, result.output
    assert summary_in(tmp_path)["lower"] >= 0
