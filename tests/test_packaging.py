"""What is installed: one import package, typed, and nothing called `models` beside it."""

from importlib.metadata import distribution
from importlib.resources import files

import pytest


def test_the_distribution_holds_one_top_level_package():
    assert distribution("bilad").read_text("top_level.txt").split() == ["bilad"]


@pytest.mark.parametrize("floor", ["models", "formulations", "solvers", "scripts"])
def test_every_floor_is_typed(floor):
    assert files(f"bilad.{floor}").joinpath("py.typed").is_file()


def test_the_command_is_installed():
    scripts = distribution("bilad").entry_points.select(group="console_scripts")
    assert [script.value for script in scripts] == ["bilad.__main__:main"]
