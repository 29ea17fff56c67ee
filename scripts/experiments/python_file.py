"""Python files of the user: problems that they make, and parts and methods that they register."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from pathlib import Path
from typing import Any

from bilad.models.validation import ArgumentError, did_you_mean


@dataclass(frozen=True)
class PythonFile:
    """A file with its text, so that it can be executed on another machine, or a module."""

    name: str  # the path of a file, or the name of an importable module
    text: str | None = None  # of a file

    @classmethod
    def read(cls, name: str, folder: Path) -> PythonFile:
        """Return a file, whose path is relative to a folder, or a module."""
        if not name.endswith(".py"):
            return cls(name)
        path = folder / name
        try:
            return cls(str(path), path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise ArgumentError(str(path), str(error), "text in UTF-8") from None

    @lru_cache(maxsize=32)  # noqa: B019  it has the life of the process
    def names(self) -> Mapping[str, Any]:
        """Execute the file once in this process, and return its global names."""
        try:
            with redirect_stdout(sys.stderr):  # stdout is for results
                if self.text is None:
                    return vars(importlib.import_module(self.name))
                names: dict[str, Any] = {"__name__": Path(self.name).stem, "__file__": self.name}
                exec(compile(self.text, self.name, "exec", dont_inherit=True), names)
        except (Exception, SystemExit) as error:  # the user's code can raise anything
            raise self._raised(error) from error
        return names

    def problems(self, function: str) -> Mapping[str, Any]:
        """Call a function of the file, which returns problems by name, or one problem."""
        made = self.names().get(function)
        if not callable(made):
            functions = [name for name, thing in self.names().items() if callable(thing)]
            expected = f"a function of {self.name}{did_you_mean(function, functions)}"
            raise ArgumentError("function", repr(function), expected)
        try:
            with redirect_stdout(sys.stderr):
                found = made()
        except (Exception, SystemExit) as error:  # the user's code can raise anything
            raise self._raised(error) from error
        if not isinstance(found, Mapping):  # a single problem
            return {function: found}
        if not found:
            raise ArgumentError("function", "an empty mapping", "at least one problem by its name")
        return found

    def _raised(self, error: BaseException) -> ArgumentError:
        given = f"{type(error).__name__}: {error}"
        return ArgumentError(self.name, given, "Python that runs")


@dataclass(frozen=True)
class PythonProblem:
    """A problem that a Python file makes; it is made again where it is solved."""

    file: PythonFile
    function: str
    name: str

    def build(self) -> Any:
        """Return the problem: a BilevelProblem or a Pyomo model."""
        return with_optimum(self.file.problems(self.function)[self.name])[0]


def with_optimum(given: Any) -> tuple[Any, float]:
    """Return a problem and its optimum, NaN if it is given without one."""
    problem, *rest = given if isinstance(given, tuple) and given else (given,)
    optimum = rest[0] if rest else float("nan")
    if len(rest) > 1 or isinstance(optimum, bool) or not isinstance(optimum, Real):
        raise ArgumentError("problems", repr(rest), "a problem, or a problem and its optimum")
    return problem, float(optimum)
