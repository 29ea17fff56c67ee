"""Docstrings in the format of numpydoc, read into their sections.

The commands show what the docstrings say, so that a description stands in one place.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

HEADING = re.compile(r"^([A-Z]\w+)\n-{3,}\n", re.MULTILINE)
ENTRY = re.compile(r"^(?=\S)", re.MULTILINE)  # the first line of an entry is not indented
PARAGRAPHS = re.compile(r"\n{2,}")
AFTER_TYPE = re.compile(r",? (default|optional)\b.*", re.DOTALL)


@dataclass(frozen=True)
class Docstring:
    """The parts of a docstring that a command shows.

    Attributes
    ----------
    summary : str
        The first line.
    paragraphs : list of str
        The text between the summary and the first section, each paragraph in one line, except
        formulas, which are indented.
    parameters : mapping of str to (str, str)
        The type and the meaning of each parameter.
    references : str
    """

    summary: str
    paragraphs: list[str]
    parameters: Mapping[str, tuple[str, str]]
    references: str


def docstring(thing: Callable[..., Any]) -> Docstring:
    """Return the docstring of a function or a class; its parts are empty without one."""
    text = inspect.getdoc(thing.func if isinstance(thing, partial) else thing) or ""
    first, *rest = HEADING.split(text)
    sections = dict(zip(rest[::2], rest[1::2], strict=True))
    summary, *paragraphs = map(_joined, PARAGRAPHS.split(first.strip("\n")))
    return Docstring(
        summary,
        paragraphs,
        dict(_parameters(sections.get("Parameters", ""))),
        " ".join(sections.get("References", "").split()),
    )


def _joined(paragraph: str) -> str:
    """Return a paragraph in one line, and a formula as it is."""
    return paragraph if paragraph.startswith(" ") else " ".join(paragraph.split())


def _parameters(section: str) -> list[tuple[str, tuple[str, str]]]:
    found = []
    for entry in ENTRY.split(section):
        head, _, meaning = entry.partition("\n")
        names, _, kind = head.partition(" : ")
        about = AFTER_TYPE.sub("", kind), " ".join(meaning.split())
        found += [(name.strip(), about) for name in names.split(",") if name.strip()]
    return found
