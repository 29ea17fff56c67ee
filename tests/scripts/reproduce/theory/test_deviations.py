"""Deviation functions: counterexamples and decreases recomputed, and verdicts."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import normalized_mutual_info_score

from bilad.models import deviation
from bilad.models.deviation import PARTITION_DEVIATIONS
from bilad.scripts.reproduce.part import Bench
from bilad.scripts.reproduce.theory import deviations
from bilad.scripts.reproduce.theory.deviations import (
    closed_form_claim,
    deviation_claims,
    failing,
)
from bilad.scripts.reproduce.theory.property_checks import (
    PROPERTIES,
    check_identity,
    check_properties,
    plane_problems,
    setting_problems,
)
from bilad.scripts.reproduce.theory.reassignment_checks import along, check_paths, identity_error
from bilad.solvers import cluster


@pytest.fixture(scope="module")
def problems():
    """Return problems with one and with four parameters whose rays are exact."""
    return {"iris": setting_problems()["iris"], "plane": plane_problems()["plane, p = 1"]}


@pytest.fixture(scope="module")
def rows(problems):
    return list(check_properties(problems, rays=2, points=4, seed=0))


@pytest.fixture(scope="module")
def paths():
    return list(check_paths(40, most_n=16, most_clusters=4, seed=0))


def test_every_function_and_property_is_asked(rows, problems):
    asked = {(row.problem, row.deviation, row.property) for row in rows}
    assert len(asked) == len(rows) == len(problems) * len(PARTITION_DEVIATIONS) * len(PROPERTIES)
    assert all(row.proved for row in rows if row.problem == "iris" or not row.holds)


def test_counterexamples_solved_again(rows, problems):
    """Return the value at each eps from the labels of another solution."""
    seen = 0
    for row in rows:
        if row.holds:
            continue
        problem = problems[row.problem]
        before = cluster(problem.model).labels
        for text, norm, value in (
            (row.eps, row.norm, row.value),
            (row.other_eps, row.other_norm, row.other_value),
        ):
            eps = np.array([float(part) for part in text.split()])
            after = cluster(problem.perturbation.apply(problem.model, eps)).labels
            assert problem.size(eps) == pytest.approx(norm, rel=1e-4)
            assert deviation(before, after, row.deviation) == pytest.approx(value)
        assert row.norm < row.other_norm
        assert row.value > row.other_value
        seen += 1
    assert seen > 5


def test_paths_fall_where_a_scan_says(paths):
    for row in paths:
        sizes, direction = (tuple(map(int, text.split("+"))) for text in (row.sizes, row.direction))
        partitions = along(sizes, direction)
        assert len(partitions) == row.steps + 1
        if row.deviation != "delta":
            continue
        pairs = list(combinations(range(sum(sizes)), 2))
        together = [[labels[i] == labels[j] for i, j in pairs] for labels in partitions]
        values = [sum(a != b for a, b in zip(now, together[0], strict=True)) for now in together]
        falls = [t for t in range(row.steps) if values[t + 1] < values[t]]
        assert row.first_fall == (falls[0] if falls else row.steps)
        assert row.in_range == row.first_fall
        assert not row.falls_in_range


def test_nmi_falls_in_a_range_of_more_clusters():
    """By scikit-learn: clusters of 2, 29, 3 and 2 points; two points move one by one."""
    partitions = along((2, 29, 3, 2), (0, 1, 0))
    values = [1 - normalized_mutual_info_score(partitions[0], other) for other in partitions]
    assert values[1] > values[2]


def test_the_identity(problems, paths):
    rows = list(check_identity({"iris": problems["iris"]}, paths))
    assert [row.wrong for row in rows] == [0, 0]
    assert min(row.tried for row in rows) > 30
    labels = np.repeat([0, 1], 3)
    assert identity_error(labels, np.array([0, 0, 1, 1, 1, 1])) < 1e-9


def test_an_identity_that_fails_is_counted(monkeypatch, problems, paths):
    monkeypatch.setattr(
        "bilad.scripts.reproduce.theory.reassignment_checks.rand_score", lambda *_: 0.5
    )
    rows = list(check_identity({"iris": problems["iris"]}, paths))
    assert all(0 < row.wrong <= row.tried for row in rows)
    assert closed_form_claim(rows).verdict == "agrees"
    assert closed_form_claim([replace(row, wrong=0) for row in rows]).verdict == "differs"


def test_verdicts_flip(rows, paths):
    found = [claim.verdict for claim in deviation_claims(rows, paths)]
    assert found == ["agrees", "agrees", "differs", "differs", "agrees"]
    assert failing(rows, "rand", PROPERTIES[2]) == failing(rows, "delta", PROPERTIES[2])
    good = [replace(row, holds=True) for row in rows]
    bad = [replace(row, holds=False) for row in rows]
    falling = [replace(row, first_fall=row.in_range - 1) for row in paths]
    assert [claim.verdict for claim in deviation_claims(good, paths)] == [
        *("agrees", "agrees", "agrees", "agrees", "differs")
    ]
    assert [claim.verdict for claim in deviation_claims(bad, falling)] == [
        *("differs", "differs", "differs", "differs", "agrees")
    ]


def test_the_section(tmp_path, monkeypatch, problems):
    monkeypatch.setattr(deviations, "setting_problems", lambda: {"iris": problems["iris"]})
    monkeypatch.setattr(deviations, "plane_problems", dict)
    section = deviations.run(Bench(tmp_path, 0, lambda *_: None), deviations.Sizes(paths=4))
    assert "The data of seeds, wine cannot be read." in section.blocks[0].text
    assert {path.name for path in tmp_path.iterdir()} == {
        *("properties.csv", "reassignments.csv", "identity.csv", "rows")
    }
    assert section.blocks[1].cells[0]["nondecreasing along a ray"] == "fails: iris"
    assert section.blocks[2].cells[0]["problem"] == "iris"
