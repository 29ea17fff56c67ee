"""Python files of the user: problems that they make, and parts and methods that they register."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bilad.models.validation import ArgumentError


@dataclass(frozen=True)
class PythonFile:
    """A file with its text, so that it can be executed on another machine, or a module.

    Attributes
    ----------
    name : str
        The path of a file, or the name of an importable module.
    text : str
        Empty for a module.
    """

    name: str
    text: str = ""

    @classmethod
    def read(cls, name: str, folder: Path) -> PythonFile:
        """Return a file, whose path is relative to a folder, or a module."""
        if not name.endswith(".py"):
            return cls(name)
        path = folder / name
        return cls(str(path), path.read_text(encoding="utf-8"))

    def names(self) -> Mapping[str, Any]:
        """Execute the file once in this process, and return its global names."""
        return _executed(self)

    def problems(self, function: str) -> Mapping[str, Any]:
        """Call a function of the file, which returns problems by name."""
        made = self.names().get(function)
        if not callable(made):
            raise ArgumentError("function", repr(function), f"a function of {self.name}")
        try:
            found = made()
        except Exception as error:  # the user's code can raise anything
            raise _raised(self.name, error) from error
        if not isinstance(found, Mapping) or not found:
            raise ArgumentError("function", type(found).__name__, "a mapping of names to problems")
        return found


@lru_cache(maxsize=32)
def _executed(file: PythonFile) -> Mapping[str, Any]:
    try:
        if not file.text:
            return vars(importlib.import_module(file.name))
        names: dict[str, Any] = {"__name__": Path(file.name).stem, "__file__": file.name}
        exec(compile(file.text, file.name, "exec"), names)
    except Exception as error:  # the user's code can raise anything
        raise _raised(file.name, error) from error
    return names


def _raised(name: str, error: Exception) -> ArgumentError:
    return ArgumentError(name, f"{type(error).__name__}: {error}", "Python that runs")


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
    problem, optimum = given if isinstance(given, tuple) else (given, float("nan"))
    return problem, float(optimum)
