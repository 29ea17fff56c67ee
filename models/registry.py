"""Things chosen by name, to which others can add theirs: methods, relaxations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    known : mapping of str to thing
    """

    def __init__(self, group: str, known: Mapping[str, T]) -> None:
        self._group, self._known = group, dict(known)

    @cached_property
    def _offered(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in entry_points(group=self._group)}

    def register(self, name: str, thing: T) -> None:
        """Add a thing.

        Raises
        ------
        ArgumentError
            If the name is taken, or is no string.
        """
        if not isinstance(name, str) or not name:
            raise ArgumentError("name", repr(name), "a string that is not empty")
        if name in self._known:
            raise ArgumentError("name", f"{name!r}, which is taken", "a name of its own")
        self._known[name] = thing

    def __getitem__(self, name: str) -> T:
        if name not in self._known and name in self._offered:
            self._known[name] = self._offered[name].load()
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._known, *self._offered]))

    def __len__(self) -> int:
        return len(list(iter(self)))
