"""The faults of a specification, collected with their places in the file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bilad.models import ArgumentError

Path = tuple[str | int, ...]  # the keys that lead to a value, such as ("problems", 0, "budgets", 1)


class SpecificationError(ArgumentError):
    """A specification has faults; the message lists all of them, each with its place."""

    def __init__(self, source: str, faults: list[str]) -> None:
        listed = "".join(f"\n  {fault}" for fault in faults)
        count = f"{len(faults)} fault{'s' if len(faults) > 1 else ''}"
        super().__init__(source, count, f"none:{listed}")
        self.faults = faults


class Faults:
    """A list of faults.

    Parameters
    ----------
    source : str
        The name of the specification, for the message.
    text : str, optional
        The text of the TOML file, in which the lines are found.
    """

    def __init__(self, source: str, text: str = "") -> None:
        self.source = source
        self._lines = lines_of(text)
        self._found: dict[tuple[Path, str], None] = {}  # in order, none twice

    def add(self, place: Path, what: str) -> None:
        """Add a fault at a place."""
        self._found[place, what] = None

    def expect(self, place: Path, given: object, expected: str) -> None:
        """Add the fault that something else was expected."""
        self.add(place, f"got {given}, expected {expected}")

    @contextmanager
    def at(self, *place: str | int) -> Iterator[None]:
        """Add an error that is raised within the block as a fault at this place."""
        try:
            yield
        except Exception as error:  # files and parts of the user can raise anything
            self.add(place, described(error))

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
        values = list(given) if isinstance(given, list | tuple | range) else [given]
        if not values:
            self.expect((*place, key), "an empty list", "at least one value")
        for k, value in enumerate(values):
            if value in values[:k]:
                self.add((*place, key, k), f"{value!r} stands twice")
        return values

    def blamed(self, place: Path, table: Mapping[str, Any]) -> Blame:
        """Return a block whose errors are faults at the key of a table that the error names."""
        return Blame(self, place, table)

    def raise_any(self) -> None:
        """Raise `SpecificationError` if there are faults."""
        if self._found:
            ordered = sorted(self._found, key=lambda fault: self._line(fault[0]) or 0)
            raise SpecificationError(self.source, [self._shown(*fault) for fault in ordered])

    def __bool__(self) -> bool:
        return bool(self._found)

    def _shown(self, place: Path, what: str) -> str:
        line = self._line(place)
        where = [f"line {line}"] if line else []
        where += [shown_path(place)] if place else []
        name, _, rest = what.partition(": ")
        if {name, f"{name}s"} & set(place):  # the error names the key as well
            what = rest
        return f"{', '.join(where)}: {what}" if where else what

    def _line(self, place: Path) -> int | None:
        """Return the line of a place, or of the nearest place that contains it."""
        for length in range(len(place), 0, -1):
            if place[:length] in self._lines:
                return self._lines[place[:length]]
        return None


class Blame:
    """A block whose errors are faults at the key of a table that the error names."""

    def __init__(self, faults: Faults, place: Path, table: Mapping[str, Any]) -> None:
        self.faults, self.place, self.table = faults, place, table

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Exception):  # parts of the user can raise anything
            return False
        self.faults.add((*self.place, *self._key(error)), described(error))
        return True

    def _key(self, error: Exception) -> Path:
        name = error.argument.partition(" ")[0] if isinstance(error, ArgumentError) else ""
        if name in self.table.get("vary", {}):
            return ("vary", name)
        return (name,) if name in self.table else ()


def described(error: Exception) -> str:
    """Return the message of an error, with its type unless the message was written for users."""
    own = isinstance(error, OSError) or type(error).__module__.startswith("bilad.")
    return str(error) if own else f"{type(error).__name__}: {error}"


def shown_path(place: Path) -> str:
    """Return a path as text, such as "problems[0].budgets[1]"."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place)
    return text.removeprefix(".")


def lines_of(text: str) -> dict[Path, int]:
    """Return the line, from 1, of each key of a valid TOML text.

    A statement is the least number of lines that TOML's own parser accepts.
    """
    lines, found = text.splitlines(), dict[Path, int]()
    table: Path = ()
    counts: dict[Path, int] = {}
    first = 0
    while first < len(lines):
        statement, last = _statement(lines, first)
        if statement and lines[first].lstrip().startswith("["):
            table = _header(statement, counts)
            for length in range(1, len(table) + 1):
                found.setdefault(table[:length], first + 1)
        else:
            for place in _keys(statement):
                found.setdefault((*table, *place), first + 1)
        first = last
    return found


def _statement(lines: list[str], first: int) -> tuple[dict[str, Any], int]:
    for last in range(first + 1, len(lines) + 1):
        try:
            return tomllib.loads("\n".join(lines[first:last])), last
        except tomllib.TOMLDecodeError:
            continue
    return {}, len(lines)


def _header(statement: Mapping[str, Any], counts: dict[Path, int]) -> Path:
    """Return the path of a header; arrays of tables are counted in `counts`."""
    place: Path = ()
    inner: Any = statement
    while inner:
        (key, inner), *_ = inner.items()
        place = (*place, key)
        if isinstance(inner, list):
            counts[place] = counts.get(place, -1) + 1
            inner = inner[0]
        if place in counts:
            place = (*place, counts[place])
    return place


def _keys(value: Any) -> Iterator[Path]:
    """Yield the paths of all keys within a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inner:
        yield (key,)
        if isinstance(one, dict | list):
            yield from ((key, *rest) for rest in _keys(one))
