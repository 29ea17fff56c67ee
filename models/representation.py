"""How models, problems and results show themselves: in one line, as a table of HTML, as JSON."""

from __future__ import annotations

import html
import math
import reprlib
from collections.abc import Mapping, Set
from dataclasses import Field, fields, is_dataclass
from typing import Any

import numpy as np

SHOWN_ENTRIES = 6  # entries of an array that are shown


class _Short(reprlib.Repr):
    """Short texts of values: numbers with six digits, long names and arrays cut in the middle.

    It calls the method that is named after the type of a value; a `repr` that raises an exception
    is replaced by the name of the type.
    """

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 80
        self.maxtuple = self.maxlist = self.maxset = self.maxfrozenset = self.maxdict = 6

    def repr1(self, x: Any, level: int) -> str:
        """Return the text of a value."""
        if isinstance(x, Represented):
            return repr(x)
        if isinstance(x, np.generic):
            x = x.item()
        return super().repr1(x, level)

    def repr_instance(self, x: Any, level: int) -> str:
        """Return the text of any other object in one line."""
        return " ".join(super().repr_instance(x, level).split())

    def repr_float(self, x: float, level: int) -> str:
        """Return six digits."""
        return f"{x:.6g}"

    def repr_ndarray(self, x: np.ndarray, level: int) -> str:
        """Return the entries of a vector, and of any other array only its shape."""
        if x.ndim != 1:
            return f"array of shape {x.shape}"
        if len(x) <= SHOWN_ENTRIES:
            return self.repr1(x.tolist(), level)
        first = ", ".join(self.repr1(entry, level) for entry in x[: SHOWN_ENTRIES - 1])
        return f"[{first}, ..., {self.repr1(x[-1], level)}]"


SHORT = _Short()


class Represented:
    """An object that shows itself: `repr`, HTML for notebooks, and a dictionary for JSON.

    A subclass defines `summary`. A dataclass needs none if its fields tell all; it is declared with
    `repr=False`, since the generated `__repr__` would be used otherwise.
    """

    def summary(self) -> Mapping[str, Any]:
        """Return what is shown, by its name, the most important first.

        It is called whenever the object is displayed, and has to be cheap to compute. By default
        these are the fields of a dataclass, except those with `repr=False`.
        """
        return {one.name: getattr(self, one.name) for one in _fields(self) if one.repr}

    def __repr__(self) -> str:
        try:
            shown = ", ".join(
                f"{name}={SHORT.repr(value)}" for name, value in self.summary().items()
            )
        except Exception:  # an object whose constructor has not ended, as a debugger shows it
            return f"<{class_name(self)}, incomplete>"
        return f"{class_name(self)}({shown})"

    def _repr_html_(self) -> str:
        """Return the summary as a table, which notebooks show."""
        left = 'style="text-align: left"'
        rows = [f'<tr><th colspan="2" {left}>{_escaped(class_name(self))}</th></tr>']
        try:
            for name, value in self.summary().items():
                cells = _escaped(name), _escaped(_text(value))
                rows.append(f"<tr><th {left}>{cells[0]}</th><td {left}>{cells[1]}</td></tr>")
        except Exception:  # as in `__repr__`
            rows.append(f"<tr><td {left}>incomplete</td></tr>")
        return f"<table>{''.join(rows)}</table>"

    def to_dict(self) -> dict[str, Any]:
        """Return the name of the class as "type", and the content, in a form that JSON can hold.

        A number that is not finite becomes None. Learning models, perturbations and problems are
        described by what they show, without their arrays; results are complete.
        """
        return {"type": class_name(self), **json_form(self._content())}

    def _content(self) -> dict[str, Any]:
        """Return what `to_dict` converts: by default the summary, and all fields of a dataclass."""
        return {**self.summary(), **{one.name: getattr(self, one.name) for one in _fields(self)}}


def _fields(thing: Any) -> tuple[Field[Any], ...]:
    """Return the fields of a dataclass; none of any other object."""
    return fields(thing) if is_dataclass(thing) else ()


def class_name(thing: object) -> str:
    """Return the name of the class of an object, or of its first base class that is public."""
    names = (kind.__name__ for kind in type(thing).__mro__)
    return next(name for name in names if not name.startswith("_"))


def json_form(value: Any) -> Any:
    """Return a value as lists, dictionaries, strings, numbers, Booleans and None.

    A number that is not finite becomes None; what JSON has no form for becomes a short text.
    """
    if isinstance(value, Represented):
        return value.to_dict()
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): json_form(one) for key, one in value.items()}
    if isinstance(value, list | tuple | Set):
        return [json_form(one) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: json_form(getattr(value, one.name)) for one in _fields(value)}
    return SHORT.repr(value)


def _text(value: Any) -> str:
    """Return the short text of a value; a string without its quotation marks."""
    text = SHORT.repr(value)
    return text[1:-1] if isinstance(value, str) else text


def _escaped(text: str) -> str:
    return html.escape(text.encode(errors="backslashreplace").decode())
