"""The comparison of formulations from the command line, and its documentation."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bilad.formulations.complementarity import RELAXATIONS
from bilad.models import DatasetError
from bilad.scripts import compare_formulations as commands
from bilad.scripts import settings
from bilad.scripts.attack_runs import CLOSING_ALONE, METHODS, VARIANTS
from bilad.scripts.compare_formulations import app, known_runs, ray_runs, size_instances
from bilad.scripts.known_problems import known_problems
from bilad.scripts.ray_optimum import RayOptimum
from bilad.scripts.settings import SETTINGS

DOCUMENT = Path(__file__).parents[2] / "docs" / "formulations.md"
FEW = "two points, p = 1, d = 1"


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def words(text):
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize(
    ("chosen", "methods"),
    [("first", "duality,corners,closing alone"), ("second", "corners,closing alone")],
)
def test_known_problems_from_the_command_line(chosen, methods, tmp_path, rows_of):
    csv = tmp_path / "new" / "runs.csv"
    arguments = (
        "known", "--set", chosen, "--problems", f"{FEW}, ", "--only", methods,
        "--store", tmp_path / "rows", "--csv", csv,
    )  # fmt: skip
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    rows = rows_of(csv)
    labels = methods.split(",") * 2
    assert [row["label"] for row in rows[: len(labels)]] == labels
    assert {row["closing"] for row in rows} == {"ray", "search"}
    assert [row["own_share"] for row in rows if row["label"] == CLOSING_ALONE] == ["0.0"] * 2
    assert "100.0%" in result.output
    assert "Load average of the machine" in result.output
    assert len(list((tmp_path / "rows").glob("known*.png"))) == 2
    again = run(*arguments)
    assert again.exit_code == 0
    assert " | " not in again.output  # no run is done again
    assert rows_of(csv) == rows


# A limit on time may end inside a callback of Hypothesis, which counts the collector's seconds.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <function gc_cumulative_time")
def test_sizes_and_walks_from_the_command_line(tmp_path, monkeypatch, rows_of):
    monkeypatch.setattr(commands, "ENTRIES", (("gaussians 30", (3,), 0.5),))
    monkeypatch.setattr(commands, "LINE", (8,))
    csv = tmp_path / "runs.csv"
    result = run("sizes", "--seeds", 2, "--only", "corners,duality", "--csv", csv)
    assert result.exit_code == 0, result.output
    rows = rows_of(csv)
    assert len(rows) == 2 * 2 * 3
    assert {row["label"] for row in rows} == {"corners", "duality", "duality, 1 start"}
    assert {row["closing"] for row in rows} == {"none"}
    assert {row["seed"] for row in rows} == {"1", "2"}
    result = run("walks", "--only", "duality", "--csv", csv)
    assert result.exit_code == 0, result.output
    assert [row["problem"] for row in rows_of(csv)] == [
        "gaussians 30, entries 3, norm inf, BL1, seed 1", "line 8, complete graph",
    ]  # fmt: skip
    assert "algebra" in result.output


def test_a_ray_from_the_command_line(tmp_path, rows_of):
    csv = tmp_path / "runs.csv"
    result = run(
        "rays", "--problems", "iris BL1", "--points", 21, "--only", "corners,milp", "--csv", csv
    )
    assert result.exit_code == 0, result.output
    corners, milp = rows_of(csv)
    assert (corners["optimum"], milp["status"]) == ("4998.0", "refused")


def test_reformulations_start_at_several_points_of_a_ray(monkeypatch):
    monkeypatch.setattr(commands, "ray_optimum", lambda *arguments: RayOptimum(8.0, 4998.0, 1))
    ray = {"iris BL1": SETTINGS["iris"].max_deviation()}
    variants = [METHODS["kkt scholtes"], METHODS["corners"]]
    kkt, other, corners = ray_runs(ray, variants, [0.0, -0.75], 1.0)
    assert (kkt.options["start"], other.options["start"]) == ([0.0], [-6.0])
    assert kkt.label != other.label
    assert corners.label == "corners"


def test_a_ray_is_left_out_with_a_message_where_its_data_are_not(monkeypatch):
    load = settings.load_dataset

    def absent(name):
        if name == "seeds":
            raise DatasetError("no seeds here")
        return load(name)

    monkeypatch.setattr(settings, "load_dataset", absent)
    result = run("rays", "--problems", "seeds")
    assert result.exit_code == 2
    assert "seeds is omitted: no seeds here" in words(result.output)


def test_the_lists_are_what_they_say():
    known = known_problems()
    planned = known_runs(known.values(), [METHODS["kkt smoothing"]], [0], 1.0, 5)
    assert len(planned) == len(known)
    assert {one.options["starts"] for one in planned} == {5}
    assert {one.closing for one in planned} == {"ray"}
    sizes = [one for one, _ in size_instances(5, "2").values()]
    assert len(sizes) == 6 * 2 * 5
    assert {one.norm for one in sizes} == {"2"}
    line = commands.line(20)
    assert (line.model.graph.m, line.perturbation.dim, line.norm) == (190, 5, np.inf)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["magic"], "No such command 'magic'"),
        (["known", "--set", "third"], "name: got 'third', expected one of 'first'"),
        (["known", "--only", "simplex"], "only: got 'simplex', expected one of '"),
        (["known", "--problems", "none of them"], "problems: got ['none of them']"),
        (["sizes", "--norm", "1"], "norm: got '1', expected one of 'inf'"),
        (["sizes", "--seeds", "0"], "--seeds"),
        (["walks", "--seconds", "0"], "--seconds"),
    ],
)
def test_a_wrong_argument_is_answered(arguments, message, tmp_path):
    result = run(*arguments, *["--store", tmp_path / "none"][: 2 * (arguments != ["magic"])])
    assert result.exit_code == 2
    assert message in words(result.output)
    assert not (tmp_path / "none").exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "taken").write_text("a file")
    assert run("known", "--store", tmp_path / "taken").exit_code == 2


# the document


def test_the_document_names_every_option_that_there_is():
    text = DOCUMENT.read_text()
    for variant in VARIANTS.values():
        if not variant.is_simple_search and variant.name != CLOSING_ALONE:
            assert f'`"{variant.method}"`' in text
    for name in RELAXATIONS:
        assert f'`"{name}"`' in text
    for one in app.registered_commands:
        assert f"| `{one.callback.__name__}` |" in text
