"""The comparison of formulations from the command line, and its documentation."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bilad.formulations.complementarity import RELAXATIONS
from bilad.scripts.attack_runs import CLOSING_ALONE, VARIANTS
from bilad.scripts.compare_formulations import PARTS, compare_formulations
from bilad.scripts.formulations import grid, rays, size
from bilad.scripts.formulations.size import FAMILIES, SizeRow
from bilad.scripts.known_problems import known_problems

DOCUMENT = Path(__file__).parents[2] / "docs" / "formulations.md"


def run(*arguments):
    app = typer.Typer()
    app.command()(compare_formulations)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_grid_from_the_command_line(tmp_path, monkeypatch, rows_of):
    few = dict(list(known_problems().items())[:2])
    monkeypatch.setattr(grid, "known_problems", lambda: few)
    result = run("--only", "grid", "--methods", "duality,corners", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    rows = rows_of(tmp_path / "grid.csv")
    assert [one["variant"] for one in rows] == ["duality", "corners"] * 2
    assert {one["limit"] for one in rows} == {"10.0"}
    assert (tmp_path / "grid.png").is_file()
    assert "100.0%" in result.output


def test_the_other_parts_from_the_command_line(tmp_path, monkeypatch, rows_of):
    tiny = SizeRow("some", 3, 3, 9, *[0.1] * 6, 0.3, 5, 2.0, "ended")
    monkeypatch.setattr(size, "size_rows", lambda family, limit: iter([tiny]))
    monkeypatch.setattr(size, "FAMILIES", FAMILIES[:1])
    monkeypatch.setattr(rays, "POINTS", 161)
    result = run(
        "--quick", "--only", "rays, entries,size", "--methods", "corners,random",
        "--seconds", 0.3, "--out", tmp_path,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.iterdir()} == {
        "rays.csv", "rays.png", "entries.csv", "entries.png", "size.csv", "rows",
    }  # fmt: skip
    assert len(rows_of(tmp_path / "rays.csv")) == 4
    assert len(rows_of(tmp_path / "entries.csv")) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "grid,magic"], "only: got 'magic', expected one of 'grid'"),
        (["--methods", "simplex"], "methods: got 'simplex', expected one of 'kkt scholtes'"),
        (["--seeds", "0"], "--seeds"),
        (["--seconds", "0"], "--seconds"),
    ],
)
def test_a_wrong_argument_is_answered(arguments, message, tmp_path):
    result = run(*arguments, "--out", tmp_path / "none")
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "none").exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "taken").write_text("a file")
    assert run("--out", tmp_path / "taken").exit_code == 2


# the document


def test_the_document_names_every_option_that_there_is():
    text = DOCUMENT.read_text()
    for variant in VARIANTS.values():
        if not variant.is_simple_search and variant.name != CLOSING_ALONE:
            assert f'`"{variant.method}"`' in text
    for name in RELAXATIONS:
        assert f'`"{name}"`' in text
    for part in PARTS:
        assert f"| `{part}` |" in text
