"""The published problems, and tables of formulas of one's own."""

import pandas as pd
import pytest

from bilad.models.validation import ArgumentError
from bilad.scripts.bilevel_problems import SHIPPED, of_folder, problems, read_problems
from bilad.scripts.experiments.run import carry_out
from bilad.scripts.experiments.specification import read_specification
from bilad.scripts.experiments.table import table_of

PAIR = {
    "name": "pair", "n_leader": "1", "start_xy": "0.5 0.5", "target_F": "1",
    "F": "(x[0] - 1)**2 + y[0]", "f": "exp(y[0])", "G_ge_0": "x[0]",
    "g_ge_0": "y[0] - x[0]; x[0] - y[0]",
}  # fmt: skip


def written(path, **changes):
    pd.DataFrame([{**PAIR, **changes}]).dropna(axis=1).to_csv(path, index=False)
    return path


def test_there_are_forty_problems_with_sources():
    assert len(problems()) >= 40
    assert (pd.read_csv(SHIPPED).source.str.len() > 5).all()


def test_branching_proves_the_targets():
    some = dict(list(problems().items())[:12])
    runs = read_specification({"methods": {"branching": {}}, "problems": some}).runs
    table = table_of(map(carry_out, runs))
    assert (table.status == "optimal").all()
    assert (table.gap.abs() < 1e-6).all()


def test_a_method_that_does_not_apply_is_refused_and_no_fault():
    some = {"IshizukaAiyoshi": problems()["IshizukaAiyoshi1992a"]}
    (run,) = read_specification({"methods": {"branching": {}}, "problems": some}).runs
    assert carry_out(run).status == "refused"


def test_opposite_inequalities_become_an_equation(tmp_path, monkeypatch):
    written(tmp_path / "bilevel_problems.csv")
    monkeypatch.setenv("BILAD_DATA", str(tmp_path))
    m, target = of_folder()["pair"]
    assert target == 1.0
    assert [row.equality for row in m.lower.rows.values()] == [True]
    assert (m.x[0].lb, m.x[0].value, m.lower.y[0].value) == (0, 0.5, 0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"f": None}, "without.*'f'"),
        ({"F": "x[0] +"}, "pair.*SyntaxError"),
        ({"F": "z"}, "pair.*KeyError"),
        ({"F": "__import__('os')"}, "pair.*KeyError"),
        ({"F": "x.__class__"}, "pair.*no formula"),
        ({"F": "exp.__globals__['sys']"}, "pair.*no formula"),
        ({"F": "[v for v in x][0]"}, "pair.*no formula"),
        ({"F": "(lambda: x[0])()"}, "pair.*no formula"),
        ({"F": "x[0]; y[0]"}, "pair.*ValueError"),
        ({"F": "y[1]"}, "pair.*KeyError"),
        ({"n_leader": "one"}, "pair.*ValueError"),
        ({"start_xy": ""}, "pair.*KeyError"),
        ({"target_F": "inf"}, "pair.*finite"),
        ({"G_ge_0": "-1"}, "pair.*False"),
    ],
)
def test_a_wrong_table_is_refused(changes, message, tmp_path):
    with pytest.raises(ArgumentError, match=message):
        read_problems(written(tmp_path / "own.csv", **changes))


def test_a_file_that_is_none_and_a_name_that_stands_twice(tmp_path):
    with pytest.raises(ArgumentError, match="path"):
        read_problems(tmp_path / "none.csv")
    path = written(tmp_path / "twice.csv")
    path.write_text(path.read_text() + path.read_text().splitlines()[1])
    with pytest.raises(ArgumentError, match="pair twice"):
        read_problems(path)
