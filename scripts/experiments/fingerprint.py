"""Short texts that differ if what defines two problems does."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from types import FunctionType
from typing import Any

import numpy as np
from pyomo.core.base.block import BlockData

from bilad.models.frame import FrameNames


def fingerprint(problem: Any, test: Iterable[Any] = ()) -> str:
    """Return a hash of the content of a BilevelProblem, with test points, or of a Pyomo model."""
    digest = hashlib.sha256()
    if is_bilevel_model(problem):
        text = io.StringIO()
        problem.pprint(ostream=text)
        return hashlib.sha256(text.getvalue().encode()).hexdigest()
    model, free = problem.model, problem.perturbation
    words = [problem.sense, problem.norm_name, problem.radius, problem.target]
    functions = dict(vars(problem.deviation))
    held_out = functions.pop("held_out") or ()
    arrays: list[Any] = [*model.parts.values(), free.lower, free.upper, *held_out, *test]
    for operator in free.operators.values():
        entries = operator.tocoo()
        arrays += [entries.row, entries.col, entries.data]
    for value in (*words, functions, *_definition(model), *arrays):
        if isinstance(value, np.ndarray):
            digest.update(np.ascontiguousarray(value).tobytes())
        else:
            digest.update(re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value)).encode())
    return digest.hexdigest()


def is_bilevel_model(problem: Any) -> bool:
    """Return whether a problem is a model of Pyomo."""
    return isinstance(problem, BlockData)


def _definition(thing: object, outer: tuple[int, ...] = ()) -> Iterator[Any]:
    """Yield what is stored in a model and in its parts, except names and what is computed."""
    yield type(thing).__name__
    for name, value in sorted(vars(thing).items()):
        computed = isinstance(getattr(type(thing), name, None), cached_property)
        if not computed and not isinstance(value, FrameNames):
            yield name
            yield from _content(value, outer)


def _content(value: Any, outer: tuple[int, ...] = ()) -> Iterator[Any]:
    """Yield the content of a value, where its `repr` may abridge arrays or omit attributes."""
    within = (*outer, id(value))
    if isinstance(value, np.ndarray) and value.dtype != object:
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield key
            yield from _content(one, within)
    elif isinstance(value, list | tuple | np.ndarray):
        for one in value:
            yield from _content(one, within)
    elif not hasattr(value, "__dict__") or isinstance(value, type | FunctionType):
        yield value
    elif id(value) not in outer:  # an object may contain itself
        yield from _definition(value, within)


def plain(value: Any) -> Any:
    """Return an option as something that JSON can represent."""
    if isinstance(value, Mapping):
        return dict(value)
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else repr(value)
