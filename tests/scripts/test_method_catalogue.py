"""Every method, option and reference is described, and what a method accepts is true."""

import json
import re

import pytest

from bilad.models import registry
from bilad.scripts.example_problems import problems
from bilad.scripts.method_catalogue import catalogue
from bilad.solvers import attack
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.upper import UPPER_METHODS, register_method

CATALOGUE = {(one.function, one.name): one for one in catalogue()}
OURS = [one for one in CATALOGUE.values() if not one.kind.startswith("plug-in")]


@pytest.mark.parametrize("method", OURS, ids=lambda one: f"{one.function}-{one.name}")
def test_a_method_and_its_options_are_described(method):
    assert method.summary.endswith((".", ")."))
    assert "run of the method" not in method.summary
    for option in method.options:
        assert option.type, option.name
        assert option.meaning.endswith("."), option.name
        assert not option.meaning.startswith("As for"), option.name
    if method.function == "attack":
        assert [option.name for option in method.options] == UPPER_METHODS[method.name].options
    if method.kind in ("derivative-free", "gradient", "reformulation", "bilevel model"):
        assert len(method.references) > 30


def test_an_option_that_another_method_describes_has_its_description():
    steps = {one.name: one for one in CATALOGUE["attack", "mi-fgsm"].options}
    same = {one.name: one for one in CATALOGUE["attack", "pgd"].options}
    assert steps["steps"] == same["steps"]
    assert steps["restarts"].meaning.startswith("Number of ascents.")


def test_a_default_is_that_of_attack():
    """A reformulation of a model of Pyomo has another default."""
    relaxation = {one.name: one for one in CATALOGUE["attack", "kkt"].options}["relaxation"]
    assert relaxation.default == ""
    relaxation = {one.name: one for one in CATALOGUE["solve_bilevel", "kkt"].options}["relaxation"]
    assert relaxation.default == "'scholtes'"


def test_what_a_method_accepts():
    exact = CATALOGUE["attack", "exact"].answers()
    assert next(iter(exact)) == "BL1 and BL2"
    assert exact["BL1 and BL2"] == [
        f"{name}, one parameter"
        for name in (
            "clustering on a line",
            "clustering, p = 1, complete graph",
            "clustering, p = 1",
            "clustering, p = inf",
        )
    ]
    assert "black box" in CATALOGUE["attack", "random"].answers()["BL1 and BL2"]
    refused = CATALOGUE["cluster", "exact"].answers()
    assert refused["accepted"] == ["clustering on a line", "clustering, p = 1, complete graph"]


@pytest.mark.parametrize("name", ["exact", "greedy"])
def test_what_a_method_refuses_attack_refuses(name):
    made = problems()
    for answer, examples in CATALOGUE["attack", name].answers().items():
        if answer.startswith("refused"):
            for problem in made[examples[0]].values():
                with pytest.raises(UnsupportedError, match=re.escape(answer.partition(": ")[2])):
                    attack(problem, name)


def test_it_can_be_written_as_json():
    text = json.dumps([one.to_dict() for one in CATALOGUE.values()])
    assert json.loads(text)[0]["problems"]


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(UPPER_METHODS, "_known", dict(UPPER_METHODS._known))


def test_a_plugin_appears_with_what_its_signature_says(registered):
    def prepare(problem, rng, *, tries: int = 20):
        """Try random points."""

    prepare.__module__ = "mine"
    register_method("mine", prepare, needs=["adjoint"], has_bound=True)
    found = {one.name: one for one in catalogue() if one.function == "attack"}["mine"]
    assert (found.kind, found.summary) == ("plug-in (mine)", "Try random points.")
    assert found.needs == ("adjoint",)
    assert found.proves_bound
    assert [(one.name, one.type, one.default) for one in found.options] == [("tries", "int", "20")]


def test_an_entry_point_that_cannot_be_loaded_is_shown_with_the_reason(registered, monkeypatch):
    entry = registry.EntryPoint("lost", "no_such_module:method", "bilad.methods")
    monkeypatch.setitem(UPPER_METHODS._offered, "lost", entry)
    found = {one.name: one for one in catalogue() if one.function == "attack"}["lost"]
    assert "cannot be loaded" in found.summary
    assert "no_such_module" in found.summary
