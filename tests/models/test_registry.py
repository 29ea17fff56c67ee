"""Registries: names in use, invalid names, and entry points of installed packages."""

from importlib.metadata import EntryPoint

import pytest

from bilad.models import registry
from bilad.models.registry import Registry
from bilad.models.validation import ArgumentError

GROUP = "bilad.things"


@pytest.fixture
def offer(monkeypatch):
    """Define entry points by name; return the list of those that were loaded."""

    def make(**values):
        loaded = []

        class Entry(EntryPoint):
            def load(self):
                loaded.append(self.name)
                return super().load()

        def entry_points(group):
            return [Entry(name, value, group) for name, value in values.items()] * (group == GROUP)

        monkeypatch.setattr(registry, "entry_points", entry_points)
        return loaded

    return make


def test_what_is_known_and_what_is_registered(offer):
    offer()
    things = Registry(GROUP, int, {"one": 1})
    things.register("two", 2)
    assert dict(things) == {"one": 1, "two": 2}
    assert (len(things), "two" in things, "three" in things) == (2, True, False)
    with pytest.raises(KeyError, match="three"):
        things["three"]
    for taken in ("one", "two"):
        with pytest.raises(ArgumentError, match=f"name: got '{taken}', which is taken"):
            things.register(taken, 3)
    for wrong in (None, "", 1, b"one", ["one"]):
        with pytest.raises(ArgumentError, match="name: got .*, expected a string"):
            things.register(wrong, 3)
    assert dict(things) == {"one": 1, "two": 2}


def test_the_mapping_given_is_not_changed():
    given = {"one": 1}
    Registry(GROUP, int, given).register("two", 2)
    assert given == {"one": 1}


def test_entry_points_are_loaded_when_they_are_asked_for(offer):
    loaded = offer(largest="sys:maxsize", digits="sys:maxunicode")
    things = Registry(GROUP, int, {"one": 1})
    assert list(things) == ["one", "largest", "digits"]
    assert "largest" in things
    assert things["one"] == 1
    assert loaded == []
    import sys

    assert things["largest"] == sys.maxsize
    assert things["largest"] == sys.maxsize
    assert loaded == ["largest"]
    with pytest.raises(ArgumentError, match="'digits', which is taken"):
        things.register("digits", 3)
    assert things.usable() == {"one": 1, "largest": sys.maxsize, "digits": sys.maxunicode}


def test_what_is_known_goes_before_what_is_offered(offer):
    loaded = offer(one="sys:maxsize")
    things = Registry(GROUP, int, {"one": 1})
    assert dict(things) == {"one": 1}
    assert loaded == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("nowhere.at.all:thing", "ModuleNotFoundError"),
        ("sys:no_such_thing", "AttributeError"),
        ("sys:version", "got str, expected an entry point of 'bilad.things' that names a int"),
    ],
)
def test_what_cannot_be_used_is_named_and_breaks_nothing_else(offer, value, words):
    offer(broken=value, largest="sys:maxsize")
    things = Registry(GROUP, int, {"one": 1})
    assert "broken" in things
    with pytest.raises(ArgumentError, match=words) as caught:
        things["broken"]
    assert value in str(caught.value)
    assert list(things.usable()) == ["one", "largest"]
