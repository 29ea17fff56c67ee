"""The check of certificates with small sizes, and that it detects a wrong certificate."""

import dataclasses
from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

from bilad.models import ConvexClustering, FusionGraph
from bilad.scripts.certificates import check_path as path_script
from bilad.scripts.certificates import check_radius as radius_script
from bilad.scripts.certificates import check_tightness as tightness_script
from bilad.scripts.certificates.check_path import KINDS, check_rays, check_settings, random_ray
from bilad.scripts.certificates.check_radius import check_bounds, check_radius
from bilad.scripts.certificates.check_recovery import check_recovery, two_clusters_in_closed_form
from bilad.scripts.certificates.check_tightness import check_gaps, check_tightness
from bilad.scripts.check_certificates import check_certificates
from bilad.scripts.known_problems import two_points
from bilad.scripts.settings import SETTINGS
from bilad.solvers import certify, cluster
from bilad.solvers.certificates.exact_radius import exact_radius
from bilad.solvers.clustering.parametric.parametric_path import parametric_path


def run(*arguments):
    app = Typer()
    app.command()(check_certificates)
    return CliRunner().invoke(app, list(arguments))


def test_recovery_of_the_iris_classes():
    """Theorem 1 guarantees the classes for no gamma; they are returned for [237/2450, 0.108)."""
    values = {figure.group.split(", ", 1)[1]: figure.value for figure in check_recovery()}
    assert values["Theorem 1, gamma_min"] > values["Theorem 1, gamma_max"]
    assert values["closed form, low = 237/2450"] == float(Fraction(237, 2450))
    assert values["closed form, high = 27/250"] == 0.108
    assert values["exact interval, low"] == pytest.approx(237 / 2450, rel=2e-6)
    assert not any(figure.wrong for figure in check_recovery())


def test_the_closed_form_is_where_the_partition_changes():
    rng = np.random.default_rng(0)
    a = np.concatenate([rng.normal(size=6), 9 + rng.normal(size=5)])[:, None]
    labels = np.repeat([0, 1], [6, 5])
    model = ConvexClustering(a, FusionGraph.complete(11, 0.5), 1.0)
    low, high = map(float, two_clusters_in_closed_form(model, labels))
    assert low < high
    for gamma, returned in (
        (low * 0.999, False),
        (low * 1.001, True),
        (high * 0.999, True),
        (high * 1.001, False),
    ):
        found = cluster(ConvexClustering(a, model.graph, gamma))
        assert np.array_equal(found.labels, labels) == returned


def test_parametric_paths_agree_with_grids():
    iris = list(check_settings({"iris": SETTINGS["iris"]}, 41))
    assert (iris[0].tried, iris[0].wrong, iris[0].undecided, iris[0].value) == (41, 0, 0, 21)
    rays = list(check_rays(6, 15, seed=1))
    assert [ray.group for ray in rays[::2]] == list(KINDS[1:])
    assert not any(ray.wrong for ray in rays)


def test_rays_with_weights_have_steps():
    for kind in KINDS[1:]:
        rays = [random_ray(np.random.default_rng(seed), kind, "") for seed in range(4)]
        steps = [
            len(parametric_path(ray.model, ray.perturbation, ray.low, ray.high).inner_breakpoints)
            for ray in rays
        ]
        assert max(steps) > 1


def test_a_wrong_parametric_path_is_detected(monkeypatch):
    def shifted(model, perturbation, low, high):
        stairs = parametric_path(model, perturbation, low, high)
        return dataclasses.replace(
            stairs, breakpoints=tuple(b + 1 for b in stairs.breakpoints), low=low + 1
        )

    monkeypatch.setattr(path_script, "parametric_path", shifted)
    monkeypatch.setattr(path_script.ParametricPath, "labels_at", lambda self, eps: self.between[0])
    assert next(iter(check_settings({"iris": SETTINGS["iris"]}, 21))).wrong > 0


def test_exact_radii_hold_and_break_just_outside():
    figures = list(check_radius(6, 60, seed=0))
    inside = [figure for figure in figures if figure.group == "just inside"]
    assert sum(figure.tried for figure in inside) == 60
    assert not any(figure.wrong for figure in figures)


def test_a_radius_that_is_too_large_is_seen(monkeypatch):
    def boast(problem):
        found = exact_radius(problem)
        return dataclasses.replace(found, radius=1.0001 * found.radius)

    monkeypatch.setattr(radius_script, "exact_radius", boast)
    assert sum(figure.wrong for figure in check_radius(4, 200, seed=0)) > 0


def test_a_proved_radius_that_is_too_large_is_seen(monkeypatch):
    def boast(problem, max_solves):
        return dataclasses.replace(certify(problem, max_solves), lower=6.0)

    assert not any(figure.wrong for figure in check_bounds(1, seed=0))
    monkeypatch.setattr(radius_script, "certify", boast)
    assert all(figure.wrong for figure in check_bounds(1, seed=0))


def test_bounds_of_known_problems_are_not_below_the_optimum():
    rows = list(islice(check_gaps({}, 0, 0, every=6), 5))
    assert [(row.wrong, row.closed) for row in rows] == [(0, 1)] * 5
    assert all(row.value >= 1 for row in rows)


def test_where_nothing_is_proved_the_bound_is_the_largest_deviation(monkeypatch):
    known = [problem for problem in two_points() if "p = inf, d = 3" in problem.name]
    monkeypatch.setattr(
        tightness_script, "known_problems", lambda: {one.name: one for one in known}
    )
    rows = list(islice(check_gaps({}, 0, 0), 1))
    assert [(row.tried, row.wrong, row.value) for row in rows] == [(2, 0, 1.0)]


def test_a_bound_that_is_too_small_is_seen(monkeypatch):
    monkeypatch.setattr(tightness_script, "optimum_bound", lambda problem, clustering: 1.0)
    assert next(iter(check_gaps({}, 0, 0))).wrong == 1


def test_tightness_has_a_radius_and_a_bound_of_each_problem(monkeypatch):
    monkeypatch.setattr(tightness_script, "CLOUDS", ((2.0, 2, "data"), (np.inf, 3, "weights")))
    rows = list(islice(check_tightness({}, 1, seed=0), 6))
    assert [row.check for row in rows] == ["tightness, radius", "tightness, bound"] * 3
    assert not any(row.wrong for row in rows)
    assert 0 < rows[0].value <= 1 <= rows[1].value
    assert rows[2].value == 0.0, "p = inf in space"

    def boast(problem, clustering):
        return 9.0

    monkeypatch.setattr(tightness_script, "certified_radius", boast)
    assert next(iter(check_tightness({}, 1, seed=0))).wrong == 1


def test_the_script_writes_its_rows(tmp_path, rows_of):
    result = run("--only", "recovery,radius", "--masks", "2", "--perturbations", "10",
                 "--out", str(tmp_path))  # fmt: skip
    assert result.exit_code == 0, result.output
    assert len(rows_of(tmp_path / "figures.csv")) == 6 + 4
    assert "237/2450" in result.output


def test_the_script_refuses_other_checks(tmp_path):
    assert run("--only", "nothing", "--out", str(tmp_path)).exit_code == 2


@pytest.mark.slow
def test_a_little_of_everything(tmp_path, rows_of):
    result = run("--quick", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert not any(int(row["wrong"]) for row in rows_of(tmp_path / "figures.csv"))
