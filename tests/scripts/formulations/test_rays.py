"""Part `rays`: its runs, its table and the times in its profile."""

from bilad.models import DatasetError
from bilad.scripts.attack_runs import VARIANTS
from bilad.scripts.formulations.rays import (
    ray_costs,
    ray_problems,
    ray_runs,
    ray_table,
)
from bilad.scripts.settings import SETTINGS

INF = float("inf")


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


def test_the_profile_of_rays_counts_a_method_without_starts_at_each(row):
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
    def absent(name):
        raise DatasetError("no seeds here")

    monkeypatch.setattr("bilad.scripts.settings.load_dataset", absent)
    said = []
    assert ray_problems(["seeds"], said.append) == {}
    assert said == ["seeds is omitted: no seeds here"]
