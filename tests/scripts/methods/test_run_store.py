"""Rows on disk: read again as they were, resumed after a kill, no run twice."""

import pytest

from bilad.scripts.methods import run_store
from bilad.scripts.instances import Instance
from bilad.scripts.methods.rows import RunSettings
from bilad.scripts.methods.runs import read_rows, run_all

IRIS = Instance("entries", "iris", "entries", 5, "inf", "BL1")
PLAN = [RunSettings(IRIS, method, 0, 5, 10.0) for method in ("random", "direct", "corners")]


def quiet(text):
    pass


def test_rows_are_read_as_they_were_written(tmp_path):
    rows = run_all(PLAN, tmp_path / "runs.csv", quiet)
    assert str(read_rows(tmp_path / "runs.csv")) == str(rows)  # NaN is not NaN
    assert read_rows(tmp_path / "none.csv") == []


def test_a_comparison_goes_on_where_it_was_killed(tmp_path, monkeypatch):
    path, solve, asked = tmp_path / "runs.csv", run_store.run, []

    def once(settings):
        asked.append(settings.method)
        if asked == ["random", "direct"]:
            raise KeyboardInterrupt
        return solve(settings)

    monkeypatch.setattr(run_store, "run", once)
    with pytest.raises(KeyboardInterrupt):
        run_all(PLAN, path, quiet)
    assert [row.method for row in read_rows(path)] == ["random"]
    path.unlink()  # a kill leaves no table, and half a line of the process's own rows
    (own,) = (tmp_path / "rows").iterdir()
    with own.open("a") as file:
        file.write('1.5,"{""instance"": {""da')
    with pytest.warns(UserWarning, match="cut short"):
        rows = run_all(PLAN, path, quiet)
    own.unlink()  # its row is in the table by now
    assert asked == ["random", "direct", "direct", "corners"]
    assert [row.method for row in rows] == ["random", "direct", "corners"]
    assert str(read_rows(path)) == str(rows)
    run_all(PLAN, path, quiet)
    assert len(asked) == 4


@pytest.mark.slow
def test_rows_come_in_the_order_of_the_plan_from_several_processes(tmp_path):
    rows = run_all(PLAN, tmp_path / "runs.csv", quiet, jobs=2)
    assert [row.settings for row in rows] == [one.text for one in PLAN]
    alone = run_all(PLAN, tmp_path / "alone.csv", quiet)
    assert [(r.value, r.solves, r.status) for r in rows] == [
        (r.value, r.solves, r.status) for r in alone
    ]
