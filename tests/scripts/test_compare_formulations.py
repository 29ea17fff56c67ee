"""The comparison of formulations: rows, tables, profiles, tiny parts, wrong arguments."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from bilad.models import (
    ArgumentError,
    ConvexClustering,
    DatasetError,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.scripts import attack_runs, size_limits
from bilad.scripts import compare_formulations as comparison
from bilad.scripts.attack_runs import (
    VARIANTS,
    Row,
    Run,
    RunLog,
    better,
    improvements,
    no_value,
    run_attack,
    share,
    value_at,
)
from bilad.scripts.compare_formulations import (
    Output,
    compare_formulations,
    entry_costs,
    entry_instances,
    entry_runs,
    entry_table,
    grid_costs,
    grid_table,
    ray_costs,
    ray_problems,
    ray_runs,
    ray_table,
    size_table,
    time_to,
)
from bilad.scripts.free_entries import FreeEntries
from bilad.scripts.known_problems import known_problems
from bilad.scripts.performance_profile import draw_profile, ratios, solved_within
from bilad.scripts.ray_optimum import ray_optimum
from bilad.scripts.settings import SETTINGS
from bilad.scripts.size_limits import FAMILIES, Family, SizeRow, measure, size_rows
from bilad.solvers import cluster

INF, NAN = float("inf"), float("nan")
NAMES = list(known_problems())
BL1, BL2 = NAMES[:2]  # two points on a line, 2.5 apart, that merge at 1
DOCUMENT = Path(__file__).parents[2] / "docs" / "formulations.md"


def problem(name=BL1):
    return known_problems()[name].problem


def row(**changes):
    settings = {"problem": BL1, "variant": "kkt scholtes", "seed": 0, "options": "", "limit": 1.0}
    answer = {"status": "feasible", "value": 2.0, "best_stage": 2.0, "bound": NAN, "optimum": 2.0}
    cost = {"share": 1.0, "lower_solves": 3, "iterations": 4, "seconds": 0.5}
    return Row(**{**settings, **answer, **cost, "improvements": "0.100:1 0.200:2", **changes})


def run(*arguments):
    app = typer.Typer()
    app.command()(compare_formulations)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


# one run


@pytest.mark.parametrize("name", [BL1, BL2])
def test_a_run_reports_what_the_lower_level_says(name):
    known = known_problems()[name]
    one = run_attack(known.problem, Run(name, "kkt scholtes", 0, 30.0), known.optimum)
    assert one.share == pytest.approx(1.0, abs=1e-3)
    assert one.status == "feasible"
    assert one.iterations > 0
    assert one.lower_solves > 0
    moments = improvements(one)
    assert [when for when, _ in moments] == sorted(when for when, _ in moments)
    assert moments[-1][1] == pytest.approx(one.value)
    assert value_at(known.problem, one, 1e9) == pytest.approx(one.value)
    assert value_at(known.problem, one, 0.0) == no_value(known.problem)


def test_a_run_is_a_function_of_its_settings():
    instance = FreeEntries("iris", 5, INF, 3)
    settings = Run(instance.name, "random", 3, 20.0, {"corners": 10})
    one, two = (run_attack(instance.problem(), settings) for _ in range(2))
    unclocked = {"seconds": 0.0, "improvements": ""}
    assert str(replace(one, **unclocked)) == str(replace(two, **unclocked))  # NaN is not NaN
    assert [v for _, v in improvements(one)] == [v for _, v in improvements(two)]


def test_a_method_that_breaks_stays_in(monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(attack_runs, "attack", broken)
    for name, value in ((BL1, 0.0), (BL2, INF)):
        one = run_attack(problem(name), Run(name, "duality", 0, 1.0), 2.0)
        assert one.status == "error: RuntimeError: out of luck"
        assert (one.value, one.share) == (value, 0.0)


def test_a_problem_that_the_milp_refuses_is_a_row():
    name = next(
        n for n, k in known_problems().items() if (k.problem.model.p, k.problem.model.d) == (2, 2)
    )
    assert run_attack(problem(name), Run(name, "milp", 0, 1.0), 1.0).status == "refused"


def test_an_attack_without_proof_is_none(monkeypatch):
    found = attack_runs.attack(problem(), "corners", corners=2)
    assert found.deviation == 2
    monkeypatch.setattr(type(found), "proved", property(lambda self: False))
    monkeypatch.setattr(attack_runs, "attack", lambda *arguments, **options: found)
    one = run_attack(problem(), Run(BL1, "corners", 0, 1.0), 2.0)
    assert (one.value, one.share) == (0.0, 0.0)


def test_shares_and_order_of_values():
    assert share(problem(BL1), 4.0, 3.0) == 0.75
    assert share(problem(BL2), 3.0, 4.0) == 0.75
    assert share(problem(BL2), 3.0, INF) == 0.0
    assert better(problem(BL1), 2.0, 1.0)
    assert better(problem(BL2), 1.0, 2.0)


def test_a_rival_with_many_entries_goes_on_until_its_time_is_up():
    instance = FreeEntries("iris", 20, INF, 0)
    one = run_attack(instance.problem(), Run(instance.name, "random", 0, 0.5))
    assert one.status == "time limit"
    assert 0.5 <= one.seconds < 3.0


def test_rows_are_on_disk_at_once(tmp_path):
    with RunLog(tmp_path / "new" / "some.csv", Row) as log:
        log.add(row())
        (written,) = rows_of(tmp_path / "new" / "some.csv")
        assert written["problem"] == BL1
        assert float(written["value"]) == 2.0


def test_a_killed_part_keeps_its_rows(tmp_path):
    def rows():
        yield row()
        raise KeyboardInterrupt

    output = Output(tmp_path, Console(file=io.StringIO()))
    with pytest.raises(KeyboardInterrupt):
        output.collect("grid", rows())
    assert len(rows_of(tmp_path / "grid.csv")) == 1


# tables


def test_the_grid_counts_one_start_five_starts_and_refusals():
    rows = [
        row(),
        row(problem=NAMES[2], share=0.5),
        row(problem=NAMES[2], share=1.0, options="starts=5"),
        row(problem=NAMES[4], share=0.5),
        row(problem=NAMES[4], share=0.75, options="starts=5"),
        row(problem=NAMES[6], share=1.0, status="refused"),
        row(variant="milp", status="optimal", bound=2.0),
        row(variant="milp", problem=NAMES[2], share=0.0, status="error: E: e"),
    ]
    kkt, milp = grid_table(rows)
    assert (kkt["problems"], kkt["refused"]) == (3, 1)
    assert (kkt["1 start"], kkt["within 5"], kkt["worst share"]) == ("33.3%", "66.7%", 0.75)
    assert (milp["1 start"], milp["gap 0"], milp["errors"]) == ("50.0%", "50.0%", 1)
    assert (kkt["gap 0"], kkt["beaten"]) == ("", 0)
    assert grid_table([row(share=1.5)])[0]["beaten"] == 1


def test_the_grid_charges_both_runs():
    rows = [
        row(share=0.5, seconds=1.0),
        row(options="starts=5", seconds=3.0),
        row(problem=NAMES[2], seconds=2.0),
        row(variant="corners", seconds=9.0),
    ]
    costs = grid_costs(rows)
    assert costs["kkt scholtes"].tolist() == [4.0, 2.0]
    assert costs["corners"].tolist() == [0.2, INF]


def test_a_simple_search_is_charged_until_its_last_improvement():
    enough = comparison._attains
    assert time_to(problem(), row(variant="random"), enough) == 0.2
    assert time_to(problem(), row(), enough) == 0.5
    assert time_to(problem(), row(share=0.9), enough) == INF


def test_entries_show_when_corner_search_wins():
    instances = entry_instances(0, 2, [5])[:2]
    first, second = (instance.name for instance in instances)
    rows = [
        row(problem=first, value=50.0, best_stage=25.0, seconds=0.15),
        row(problem=first, variant="corners", value=100.0, improvements="0.1:60 5.0:100"),
        row(problem=second, value=100.0, best_stage=100.0, improvements="0.3:100"),
        row(problem=second, variant="corners", value=80.0, improvements="0.1:80"),
        row(problem=second, variant="milp", value=0.0, status="refused"),
    ]
    kkt, corners = entry_table(rows, instances)
    assert kkt["instance"] == "iris, k = 5, norm inf"
    assert (kkt["U / best"], kkt["stage / best"], kkt["worst U / best"]) == (0.75, 0.625, 0.5)
    assert kkt["corners then"] == pytest.approx((0.6 + 0.8) / 2)
    assert np.isnan(kkt["random then"])
    assert corners["U / best"] == pytest.approx(0.9)
    costs = entry_costs(rows)
    assert costs["kkt scholtes"].tolist() == [INF, 0.3]
    assert costs["corners"].tolist() == [5.0, INF]


# performance profiles


def test_ratios_and_shares_of_dolan_and_more():
    costs = np.array([[1.0, 2.0], [3.0, INF], [INF, INF], [4.0, 1.0]])
    table = ratios(costs)
    assert table.tolist() == [[1, 2], [1, INF], [INF, INF], [4, 1]]
    assert solved_within(table[:, 0], np.array([1.0, 3.9, 4.0])).tolist() == [0.5, 0.5, 0.75]
    assert solved_within(table[:, 1], np.array([1.0, 100.0])).tolist() == [0.25, 0.5]


def test_the_profile_is_drawn(tmp_path):
    costs = {f"method {k}": np.array([1.0 + k, 2.0, INF]) for k in range(9)}
    draw_profile(costs, "some", tmp_path / "some.png")
    assert matplotlib.image.imread(tmp_path / "some.png").ndim == 3
    draw_profile({"none": np.array([INF])}, "none", tmp_path / "none.png")


# rays


def staircase_problem(kind, value):
    """Three points on a line, the middle one moves; steps by brute force."""
    model = ConvexClustering([[0.0], [2.0], [5.0]], FusionGraph.complete(3), 0.5)
    shift = Perturbation.shift([[0.0], [1.0], [0.0]])
    if kind == "BL1":
        return MaxDeviation(model, shift, value)
    return MinPerturbation(model, shift, value, limit=4.0)


def test_the_optimum_over_a_ray_is_refined_between_grid_points():
    fine = ray_optimum(staircase_problem("BL2", 2.0), 4001)
    coarse = ray_optimum(staircase_problem("BL2", 2.0), 5)
    assert coarse.value == pytest.approx(fine.value, abs=1e-7)
    assert coarse.solves < fine.solves
    model = staircase_problem("BL2", 2.0)
    after = cluster(model.perturbation.apply(model.model, [coarse.eps]))
    assert after.n_clusters != cluster(model.model).n_clusters


def test_a_ray_without_an_attack():
    assert ray_optimum(staircase_problem("BL1", 1e-3), 11).value == 0.0
    assert ray_optimum(staircase_problem("BL2", 6.0), 11).value == INF


def test_a_ray_has_one_parameter():
    model = ConvexClustering([[0.0], [2.0]], FusionGraph.complete(2), 0.5)
    with pytest.raises(ArgumentError, match="problem: got eps of length 2, expected length 1"):
        ray_optimum(MaxDeviation(model, Perturbation.additive((2, 1)), 1.0))


def test_rays_of_iris_with_a_coarse_grid():
    problems = ray_problems(["iris"], print)
    assert list(problems) == ["iris BL1", "iris BL2"]
    first = {"iris BL1": problems["iris BL1"]}
    variants = [VARIANTS["corners"], VARIANTS["milp"]]
    rows = list(ray_runs(first, variants, 0, 5.0, 161, [0.0]))
    assert rows[0].optimum == 4998
    assert rows[1].status == "refused"
    (table,) = ray_table(rows)
    assert table["formulation"] == "corners"
    assert table["best"] == table["worst"] == f"{rows[0].share:.2%}"


def test_the_profile_of_rays_counts_a_method_without_starts_at_each():
    problems = {"iris BL1": SETTINGS["iris"].max_deviation()}
    rows = [
        row(problem="iris BL1", options="start=0", share=0.9, seconds=1.0),
        row(problem="iris BL1", options="start=3", share=0.9995, seconds=2.0),
        row(problem="iris BL1", variant="corners", share=1.0),
        row(problem="iris BL1", variant="milp", share=0.0, status="refused"),
    ]
    costs = ray_costs(rows, problems)
    assert costs["kkt scholtes"].tolist() == [INF, 2.0]
    assert costs["corners"].tolist() == [0.2, 0.2]
    assert costs["milp"].tolist() == [INF, INF]
    assert ray_costs(rows[2:], problems)["corners"].tolist() == [0.2]


def test_a_ray_is_left_out_with_a_message_where_its_data_are_not(monkeypatch):
    def absent(self):
        raise DatasetError("no seeds here")

    monkeypatch.setattr(type(SETTINGS["seeds"]), "max_deviation", absent)
    said = []
    assert ray_problems(["seeds"], said.append) == {}
    assert said == ["seeds is left out: no seeds here"]


@pytest.mark.parametrize("name", ["iris", "wine", "seeds"])
def test_every_setting_has_a_robust_interval_and_a_staircase(name):
    setting = SETTINGS[name]
    try:
        problem = setting.max_deviation()
    except DatasetError:
        pytest.skip("Seeds is not here")
    before = cluster(problem.model).labels
    shift = problem.perturbation

    def delta(eps):
        after = cluster(shift.apply(problem.model, eps)).labels
        return problem.deviation.value(before, after)

    assert np.bincount(before).max() < problem.model.n
    assert delta(setting.budget * 1e-3) == delta(-setting.budget * 1e-3) == 0
    values = [delta(eps) for eps in np.linspace(-setting.budget, setting.budget, 41)]
    assert len(set(values)) >= 3
    assert max(values) >= setting.target


# entries


@pytest.mark.parametrize("data", ["iris", "gaussians"])
@pytest.mark.parametrize("norm", [2.0, INF])
def test_instances_with_free_entries(data, norm):
    instance = FreeEntries(data, 20, norm, 1)
    first, second = instance.problem(), instance.problem()
    assert np.array_equal(first.model.data, second.model.data)
    assert first.perturbation.dim == 20
    assert (first.model.n, first.model.d, first.norm) == (
        (100, 1, norm) if data == "iris" else (200, 2, norm)
    )
    assert 2 <= cluster(first.model).n_clusters <= 12
    other = FreeEntries(data, 20, norm, 2)
    assert (first.perturbation.operator != other.problem().perturbation.operator).nnz > 0
    assert instance.group == other.group
    assert instance.name != other.name


def test_entries_of_one_instance():
    instances = [FreeEntries("iris", 5, INF, 0)]
    variants = [VARIANTS["corners"], VARIANTS["random"], VARIANTS["milp"]]
    rows = list(entry_runs(instances, variants, 0.3))
    assert [one.status for one in rows][2] == "refused"
    table = entry_table(rows, instances)
    assert max(cells["U / best"] for cells in table) == 1.0
    assert len(table) == 2


# size


def test_the_pieces_of_a_small_problem_are_timed():
    one = measure(Family(1, 2.0, None), 12, 60.0)
    assert one.status == "ended"
    assert (one.n, one.edges) == (12, 66)
    assert one.variables > 66
    pieces = one.lower + one.pyomo + one.nl + one.opening + one.ipopt
    assert 0 < pieces <= one.total * 1.01
    assert one.building_share == pytest.approx((one.pyomo + one.nl + one.opening) / one.total)
    assert one.iterations > 0
    (cells,) = size_table([one])
    assert cells["building"] == f"{one.building_share:.2%}"


def test_a_size_that_is_too_large_ends_the_doubling():
    rows = list(size_rows(FAMILIES[1], 0.02))
    assert rows[-1].status == "time limit"
    assert len(rows) == 1
    assert "nan" not in " ".join(comparison._shown(v) for v in size_table(rows)[0].values())


def test_a_size_that_breaks_is_a_row(monkeypatch):
    def broken(*arguments):
        raise MemoryError("too large")

    monkeypatch.setattr(size_limits, "KKTFormulation", broken)
    (one,) = size_rows(FAMILIES[0], 5.0)
    assert one.status == "error: MemoryError: too large"


# the command


def test_the_grid_from_the_command_line(tmp_path, monkeypatch):
    few = dict(list(known_problems().items())[:2])
    monkeypatch.setattr(comparison, "known_problems", lambda: few)
    result = run("--only", "grid", "--methods", "duality,corners", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    rows = rows_of(tmp_path / "grid.csv")
    assert [one["variant"] for one in rows] == ["duality", "corners"] * 2
    assert {one["limit"] for one in rows} == {"10.0"}
    assert (tmp_path / "grid.png").is_file()
    assert "100.0%" in result.output


def test_the_other_parts_from_the_command_line(tmp_path, monkeypatch):
    tiny = SizeRow("some", 3, 3, 9, *[0.1] * 6, 0.3, 5, 2.0, "ended")
    monkeypatch.setattr(comparison, "size_rows", lambda family, limit: iter([tiny]))
    monkeypatch.setattr(comparison, "FAMILIES", FAMILIES[:1])
    monkeypatch.setattr(comparison, "POINTS", 161)
    result = run(
        "--quick", "--only", "rays, entries,size", "--methods", "corners,random",
        "--seconds", 0.3, "--out", tmp_path,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.iterdir()} == {
        "rays.csv", "rays.png", "entries.csv", "entries.png", "size.csv",
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


def test_the_code_in_the_document_runs(capsys):
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names = {}
    for block in blocks:
        exec(compile(block, DOCUMENT.name, "exec"), names)
    assert "difference[0,1]" in capsys.readouterr().out


def test_the_document_names_every_option_that_there_is():
    text = DOCUMENT.read_text()
    for variant in VARIANTS.values():
        if not variant.is_rival:
            assert f'`"{variant.method}"`' in text
    for name in attack_runs.RELAXATIONS:
        assert f'`"{name}"`' in text
    for part in comparison.PARTS:
        assert f"| `{part}` |" in text
