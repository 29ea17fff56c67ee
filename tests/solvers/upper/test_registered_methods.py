"""User-defined methods: registered by a call, or provided by an installed package."""

from importlib.metadata import EntryPoint

import numpy as np
import pytest

from bilad.models import ArgumentError, registry
from bilad.solvers import attack, register_method
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.upper import UPPER_METHODS, new_method


@pytest.fixture
def own(monkeypatch):
    """Allow methods to be registered, and remove them after the test."""
    monkeypatch.setattr(UPPER_METHODS, "_known", dict(UPPER_METHODS._known))


def ends(problem, rng, *, count=2):
    """A method that evaluates both ends of the first axis."""

    def work(lower, trace):
        for sign in (-1.0, 1.0)[:count]:
            eps = np.zeros(problem.perturbation.dim)
            eps[0] = sign * problem.radius
            lower.evaluate(problem.project(eps))

    return work


def test_it_attacks_by_its_name_and_has_options(own, groups):
    register_method("ends", ends)
    found = attack(groups.bl1(), "ends", closing="none")
    assert (found.method, found.lower_solves) == ("ends", 2)
    assert found.own.deviation == groups.joined
    assert attack(groups.bl1(), "ends", count=1, closing="none").own.deviation == groups.parted
    with pytest.raises(ArgumentError, match="'count'"):
        attack(groups.bl1(), "ends", counts=1)


def test_it_names_the_capability_that_is_missing(own, groups):
    register_method("never", ends, refusal=lambda problem: "it is Sunday")
    register_method("steep", ends, needs=["adjoint"])
    with pytest.raises(UnsupportedError, match="it is Sunday.*'steep'"):
        attack(groups.bl1(), "never")


@pytest.mark.parametrize("name", ["kkt", "corners", "ends"])
def test_a_name_that_is_taken_is_refused(own, name):
    register_method("ends", ends)
    with pytest.raises(ArgumentError, match=f"name: got '{name}', which is taken"):
        register_method(name, ends)


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("prepare", {"prepare": None}),
        ("prepare", {"prepare": "ends"}),
        ("refusal", {"prepare": ends, "refusal": "never"}),
        ("needs", {"prepare": ends, "needs": ["spam"]}),
    ],
)
def test_an_invalid_method_is_refused(own, argument, options):
    with pytest.raises(ArgumentError, match=f"{argument}: got "):
        register_method("ends", **options)
    assert "ends" not in UPPER_METHODS


@pytest.fixture
def offered(monkeypatch, own):
    """Provide a valid, a missing and an invalid method; record the imports."""
    things, loaded = {"ends": new_method(ends), "none": ends}, []

    class Entry(EntryPoint):
        def load(self):
            loaded.append(self.name)
            return things[self.name] if self.name in things else super().load()

    def entry_points(group):
        values = {"ends": "a:b", "none": "a:c", "broken": "nowhere.at.all:thing"}
        return [Entry(*one, group) for one in values.items()] * (group == "bilad.methods")

    monkeypatch.setattr(registry, "entry_points", entry_points)
    monkeypatch.delitem(UPPER_METHODS.__dict__, "_offered", raising=False)
    yield loaded
    UPPER_METHODS.__dict__.pop("_offered", None)


def test_a_method_of_a_package_is_loaded_when_it_is_used(offered, groups):
    attack(groups.bl1(), "corners", max_solves=5)
    assert offered == []
    assert attack(groups.bl1(), "ends", closing="none").own.deviation == groups.joined
    assert offered == ["ends"]


def test_an_unusable_method_is_named_and_affects_no_other(offered, groups):
    with pytest.raises(ArgumentError, match=r"broken \(nowhere.at.all:thing\): got ModuleNotFound"):
        attack(groups.bl1(), "broken")
    with pytest.raises(ArgumentError, match="got function, expected an entry point"):
        attack(groups.bl1(), "none")
    with pytest.raises(UnsupportedError, match="'ends'"):  # the methods that can are listed
        attack(groups.bl1(deviation="nmi"), "kkt")
    assert attack(groups.bl1(), max_solves=5).deviation > 0
