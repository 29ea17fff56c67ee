"""Registries of objects that are chosen by name, such as methods and relaxations.

Users and other installed packages can add objects to a registry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from bilad.models.validation import ArgumentError

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """A mapping from names to registered objects and to the entry points of installed packages.

    An installed package adds an object by an entry point of the group. The entry point is loaded
    when its name is first looked up.

    Parameters
    ----------
    group : str
        The entry point group, such as "bilad.methods".
    kind : type
        The type of the objects. An entry point that names an object of another type is an error.
    known : mapping of str to object
        The objects that are registered from the beginning.
    """

    def __init__(self, group: str, kind: type, known: Mapping[str, T]) -> None:
        self._group, self._kind, self._known = group, kind, dict(known)

    @cached_property
    def _offered(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in entry_points(group=self._group)}

    def register(self, name: str, thing: T) -> None:
        """Add an object under a new name.

        Raises
        ------
        ArgumentError
            If the name is not a nonempty string, or is in use, possibly by an installed package.
        """
        if not isinstance(name, str) or not name:
            raise ArgumentError("name", repr(name), "a string that is not empty")
        if name in self:
            raise ArgumentError("name", f"{name!r}, which is taken", "a name that is not in use")
        self._known[name] = thing

    def __getitem__(self, name: str) -> T:
        """Return the object of this name; an entry point is loaded first.

        Raises
        ------
        KeyError
            If the name is not known.
        ArgumentError
            If the entry point cannot be loaded, or names an object of another type.
        """
        if name not in self._known and name in self._offered:
            self._known[name] = self._load(self._offered[name])
        return self._known[name]

    def _load(self, entry: EntryPoint) -> T:
        expected = f"an entry point of {self._group!r} that names a {self._kind.__name__}"
        try:
            thing: T = entry.load()
        except Exception as error:  # importing a third-party module can raise anything
            given = f"{type(error).__name__}: {error}"
            raise ArgumentError(f"{entry.name} ({entry.value})", given, expected) from error
        if not isinstance(thing, self._kind):
            raise ArgumentError(f"{entry.name} ({entry.value})", type(thing).__name__, expected)
        return thing

    def usable(self) -> dict[str, T]:
        """Return all objects except the entry points that cannot be loaded."""
        found = {}
        for name in self:
            with suppress(ArgumentError):
                found[name] = self[name]
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._known or name in self._offered

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._known, *self._offered]))

    def __len__(self) -> int:
        return len(list(iter(self)))
