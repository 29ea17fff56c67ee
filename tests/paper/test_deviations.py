"""Sections 4, 5 and 6.4: properties of deviation functions, and the Rand index."""

from functools import cache
from itertools import chain

import numpy as np
import pytest
from sklearn.metrics import rand_score

from bilad.models import deviation
from bilad.models.deviation import PARTITION_DEVIATIONS
from bilad.scripts.reproduce.section import Bench
from bilad.scripts.reproduce.theory import deviations
from bilad.scripts.settings import readable_settings
from bilad.solvers import cluster
from bilad.solvers.clustering.parametric.parametric_path import parametric_path
from bilad.solvers.upper.deviation_properties import ALONG, IN_NORM


@cache
def counterexamples(*names):
    """The problems with these names, and the counterexamples on them."""
    problems = {name: setting.max_deviation() for name, setting in readable_settings().items()}
    problems |= deviations.plane_problems()
    asked = {name: problems[name] for name in names or problems}
    return asked, deviations.counterexamples(Bench(None, 0, True, lambda *_: None), asked)


@pytest.fixture(params=[("iris",), pytest.param((), marks=pytest.mark.slow)], ids=["iris", "all"])
def found(request):
    return counterexamples(*request.param)


def test_counterexamples_are_solved_again(found):
    """Each value is that of the labels of another solution."""
    problems, rows = found
    assert len(rows) > 10
    for row in rows.to_dict("records"):
        problem = problems[row["problem"]]
        before = cluster(problem.model).labels
        values = []
        for key in ("", "other_"):
            eps = np.array([float(part) for part in row[f"{key}eps"].split()])
            after = cluster(problem.perturbation.apply(problem.model, eps)).labels
            assert problem.size(eps) == pytest.approx(row[f"{key}norm"], rel=1e-4)
            values.append(deviation(before, after, row["function"]))
        assert values == pytest.approx([row["value"], row["other_value"]])
        assert values[0] > values[1]
        assert row["norm"] < row["other_norm"]


def test_delta_decreases_on_iris():
    """From 4998 to 4978, and 1 - RI with it."""
    _, rows = counterexamples("iris")
    along = rows[rows.property == ALONG].set_index("function")
    assert tuple(along.loc["delta", ["value", "other_value"]]) == (4998, 4978)
    assert tuple(along.loc["rand", ["value", "other_value"]] * 100 * 99) == pytest.approx(
        (4998, 4978)
    )
    assert set(rows[rows.property == IN_NORM].function) == set(PARTITION_DEVIATIONS)


@pytest.mark.slow
def test_every_function_decreases_along_some_ray():
    problems, rows = counterexamples()
    assert set(rows.property) == {ALONG, IN_NORM}
    on_data = rows[(rows.property == ALONG) & rows.problem.isin(readable_settings())]
    assert set(on_data.function) == set(PARTITION_DEVIATIONS)
    verdicts = [claim.verdict for claim in deviations.claims(rows, len(problems))]
    assert verdicts == ["agrees", "differs", "differs", "agrees"]


def test_verdicts_follow_the_counterexamples():
    _, rows = counterexamples("iris")
    signs = rows.assign(property="nonnegative")
    none = rows[:0]
    given = [[claim.verdict for claim in deviations.claims(own, 1)] for own in (rows, signs, none)]
    assert given == [
        ["agrees", "differs", "differs", "agrees"],
        ["differs", "agrees", "differs", "differs"],
        ["agrees", "agrees", "agrees", "differs"],
    ]


@pytest.mark.parametrize("name", ["iris", pytest.param("wine", marks=pytest.mark.slow)])
def test_the_rand_index_is_delta(name):
    """delta = n (n - 1) (1 - RI), with RI of scikit-learn, for every partition on the ray."""
    setting = readable_settings()[name]
    path = parametric_path(setting.model(), setting.shift(), -setting.budget, setting.budget)
    before, n = path.labels_at(0.0), setting.points
    for other in chain(path.between, path.at_breakpoints):
        by_rand = n * (n - 1) * (1 - rand_score(before, other))
        assert deviation(before, other) == pytest.approx(by_rand, abs=1e-6)
