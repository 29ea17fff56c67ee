"""Things chosen by name, to which others can add theirs: methods, relaxations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from bilad.models.validation import ArgumentError

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """A mapping from names to things, and to those that installed packages offer.

    A package offers a thing by an entry point of the group; it is loaded when first asked for.

    Parameters
    ----------
    group : str
        Of the entry points, such as "bilad.methods".
    kind : type
        Of the things; what an entry point names is refused if it is none.
    known : mapping of str to thing
    """

    def __init__(self, group: str, kind: type, known: Mapping[str, T]) -> None:
        self._group, self._kind, self._known = group, kind, dict(known)

    @cached_property
    def _offered(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in entry_points(group=self._group)}

    def register(self, name: str, thing: T) -> None:
        """Add a thing.

        Raises
        ------
        ArgumentError
            If the name is taken, by an installed package too, or is no string.
        """
        if not isinstance(name, str) or not name:
            raise ArgumentError("name", repr(name), "a string that is not empty")
        if name in self:
            raise ArgumentError("name", f"{name!r}, which is taken", "a name of its own")
        self._known[name] = thing

    def __getitem__(self, name: str) -> T:
        """Return a thing, loaded if a package offers it.

        Raises
        ------
        ArgumentError
            If it cannot be loaded, or is of another kind.
        """
        if name not in self._known and name in self._offered:
            self._known[name] = self._load(self._offered[name])
        return self._known[name]

    def _load(self, entry: EntryPoint) -> T:
        expected = f"an entry point of {self._group!r} that names a {self._kind.__name__}"
        try:
            thing: T = entry.load()
        except Exception as error:  # whatever importing a stranger's module raises
            given = f"{type(error).__name__}: {error}"
            raise ArgumentError(f"{entry.name} ({entry.value})", given, expected) from error
        if not isinstance(thing, self._kind):
            raise ArgumentError(f"{entry.name} ({entry.value})", type(thing).__name__, expected)
        return thing

    def usable(self) -> dict[str, T]:
        """Return everything, but for what cannot be loaded."""
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
