"""The faults of a specification, collected with their places in the file."""

from __future__ import annotations

import tomllib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

from bilad.models import ArgumentError

Path = tuple[str | int, ...]  # the keys that lead to a value, such as ("problems", 0, "budgets", 1)


KEYS = {"name": "source", "k": "neighbours"}  # of arguments that a specification calls otherwise


class SpecificationError(ArgumentError):
    """A specification has faults; the message lists all of them, each with its place."""

    def __init__(self, source: str, faults: list[str]) -> None:
        listed = "".join(f"\n  {fault}" for fault in faults)
        count = f"{len(faults)} fault{'s' if len(faults) > 1 else ''}"
        super().__init__(source, count, f"none:{listed}")
        self.faults = faults


class Faults:
    """A list of faults of a source, with the lines of its text if it is a TOML file."""

    def __init__(self, source: str, text: str = "") -> None:
        self.source, self.lines = source, Lines(text)
        self._found: dict[tuple[Path, str], None] = {}  # in order, none twice

    def add(self, place: Path, what: str) -> None:
        """Add a fault at a place."""
        self._found[place, what] = None

    def expect(self, place: Path, given: object, expected: str) -> None:
        """Add the fault that something else was expected."""
        self.add(place, f"got {given}, expected {expected}")

    @contextmanager
    def at(self, *place: str | int, table: Mapping[str, Any] | None = None) -> Iterator[None]:
        """Add an error that is raised within the block as a fault at this place.

        If a table is given, the place is the key of the table that the error names.
        """
        try:
            yield
        except Exception as error:  # files and parts of the user can raise anything
            named = error.argument.partition(" ")[0] if isinstance(error, ArgumentError) else ""
            given, what = table or {}, described(error)
            if named not in given and KEYS.get(named) in given:
                named, what = KEYS[named], what.partition(": ")[2]
            key = ("vary",) if named in given.get("vary", {}) else ()
            self.add((*place, *key, *((named,) if key or named in given else ())), what)

    def known(self, place: Path, given: Mapping[str, Any], choices: Iterable[str]) -> bool:
        """Add a fault for each key that is not one of the choices; return whether there is none."""
        able = list(dict.fromkeys(choices))
        wrong = [key for key in given if key not in able]
        for key in wrong:
            expected = "one of " + ", ".join(map(repr, able)) if able else "no key"
            self.expect((*place, key), repr(key), expected)
        return not wrong

    def values(
        self, place: Path, table: Mapping[str, Any], key: str, default: Sequence[Any] = ()
    ) -> Sequence[Any]:
        """Return the values of a key, a single one as a list; none may stand twice."""
        if key not in table:
            return default
        given = table[key]
        if isinstance(given, range):
            return given
        values = list(given) if isinstance(given, list | tuple) else [given]
        if not values:
            self.expect((*place, key), "an empty list", "at least one value")
        for k, value in enumerate(values):
            with suppress(ValueError):  # of arrays; the runs with them are compared later
                if value in values[:k]:
                    self.add((*place, key, k), f"{value!r} stands twice")
        return values

    def each(
        self,
        place: Path,
        table: Mapping[str, Any],
        key: str,
        check: Callable[[Any], Any],
        default: Sequence[Any] = (),
    ) -> list[Any]:
        """Return what a function returns for each value of a key; its errors are faults."""
        found = []
        for k, value in enumerate(self.values(place, table, key, default)):
            with self.at(*place, key, k):
                found.append(check(value))
        return found

    def raise_any(self) -> None:
        """Raise `SpecificationError` if there are faults."""
        if self._found:
            ordered = sorted(self._found, key=lambda fault: self.lines.number(fault[0]))
            raise SpecificationError(self.source, [self._shown(*fault) for fault in ordered])

    def __bool__(self) -> bool:
        return bool(self._found)

    def _shown(self, place: Path, what: str) -> str:
        line = self.lines.number(place)
        where = [f"line {line}"] if line else []
        path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place)
        where += [path.removeprefix(".")] if place else []
        name, _, rest = what.partition(": ")
        if {name, f"{name}s"} & set(place):  # the error names the key as well
            what = rest
        return f"{', '.join(where)}: {what}" if where else what


def described(error: Exception) -> str:
    """Return the message of an error, with its type unless the message was written for users."""
    own = isinstance(error, OSError) or type(error).__module__.startswith("bilad.")
    return str(error) if own else f"{type(error).__name__}: {error}"


class Lines:
    """The lines of the keys of a valid TOML text."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")  # TOML knows no other line separators
        self._read = lru_cache(self._parsed)

    def __bool__(self) -> bool:
        return any(self._lines)

    def number(self, place: Path) -> int:
        """Return the line, from 1, of a place or of the nearest place that contains it; else 0.

        It is the first line with which the text contains the place. A statement of several lines
        counts from its first one.
        """
        ends = range(1, len(self._lines) + 1)
        for length in range(len(place), 0, -1):
            inside = place[:length]
            if ends and _contains(self._read(len(ends)), inside):
                return 1 + bisect_left(
                    ends, True, key=lambda end: _contains(self._read(end), inside)
                )
        return 0

    def _parsed(self, end: int) -> Mapping[str, Any]:
        """Return the content of the shortest valid text with at least so many lines."""
        for last in range(end, len(self._lines) + 1):
            with suppress(tomllib.TOMLDecodeError):
                return tomllib.loads("\n".join(self._lines[:last]))
        return {}


def _contains(value: Any, place: Path) -> bool:
    for key in place:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True
