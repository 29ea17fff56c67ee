"""The command on the problems of the repository and on a table of formulas."""

import pytest
import typer
from typer.testing import CliRunner

from bilad.models.validation import ArgumentError
from bilad.scripts.bilevel_problems import PROBLEMS, read_problems
from bilad.scripts.compare_bilevel import compare_bilevel, run

COLUMNS = "name,source,target_F,target_from,book_F,n_leader,F,f,G_ge_0,g_ge_0,start_xy"
BARD = (
    'Bard,"Bard 1984",-12,proved here,-11,1,x[0] - 4*y[0],y[0],x[0],'
    "x[0] + y[0] - 3; 2*x[0] - y[0]; 12 - 2*x[0] - y[0]; 2*y[0] - 3*x[0] + 4; y[0],0 0"
)
PAIR = (
    'pair,"by hand",1,book,,1,(x[0] - 1)**2 + y[0],exp(y[0]),x[0],y[0] - x[0]; x[0] - y[0],0.5 0.5'
)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "bilevel_problems.csv"
    path.write_text("\n".join((COLUMNS, BARD, PAIR)))
    return path


def test_there_are_forty_problems_with_sources():
    assert len(PROBLEMS) >= 40
    assert len({problem.name for problem in PROBLEMS}) == len(PROBLEMS)
    assert all(problem.source for problem in PROBLEMS)


@pytest.mark.parametrize("problem", PROBLEMS[:12], ids=lambda problem: problem.name)
def test_problems_of_the_repository_are_proved(problem):
    one = run(problem, "branching", 1, 0)
    assert one.proved
    assert not one.disagrees
    assert not one.false
    assert one.solved


def test_opposite_inequalities_become_an_equation(table):
    for place in (table, table.parent):
        pair = read_problems(place)[1]
        m = pair.model()
        assert [row.equality for row in m.lower.rows.values()] == [True]
        assert m.x[0].lb == 0
        assert (m.x[0].value, m.lower.y[0].value) == (0.5, 0.5)


def test_the_command_reports_what_beats_the_literature(table, tmp_path):
    app = typer.Typer()
    app.command()(compare_bilevel)
    options = ["--methods", "branching,kkt", "--starts", "1", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [str(table), *options])
    assert result.exit_code == 0, result.output
    assert "Solved by no method: none" in result.output
    beaten = next(line for line in result.output.splitlines() if line.startswith("  Bard"))
    assert beaten.split()[1:] == ["branching", "-11", "-12", "-12", "0"]
    assert len((tmp_path / "out" / "bilevel.csv").read_text().splitlines()) == 5


def test_a_table_that_is_none_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match="path"):
        read_problems(tmp_path / "none.csv")
    path = tmp_path / "few.csv"
    path.write_text("name\nBard")
    with pytest.raises(ArgumentError, match="columns"):
        read_problems(path)
