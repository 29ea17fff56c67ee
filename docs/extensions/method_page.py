"""The page of all methods, which is written from the catalogue of `bilad methods`."""

from collections.abc import Iterator
from pathlib import Path

from plain_docstrings import escaped
from sphinx.application import Sphinx

from bilad.scripts.commands.methods import TITLES
from bilad.scripts.method_catalogue import Method, catalogue

PAGE = Path("api", "generated", "methods.rst")
HEAD = """\
Methods
=======

The methods and their options, as ``bilad methods`` and ``bilad methods NAME`` print them.
"""


def listed(methods: list[Method]) -> Iterator[str]:
    """Yield the lines of a table of methods."""
    yield from ("", ".. list-table::", "   :header-rows: 1", "")
    rows = [("method", "kind", "needs", "what it does")]
    for one in methods:
        bound = " It proves a bound." if one.proves_bound else ""
        rows.append((one.name, one.kind, ", ".join(one.needs), escaped(one.summary) + bound))
    for row in rows:
        yield from (
            f"   {'  ' if column else '* '}- {cell}".rstrip() for column, cell in enumerate(row)
        )


def described(one: Method) -> Iterator[str]:
    """Yield the lines of the section of a method."""
    yield from ("", one.name, "." * len(one.name))
    for text in (one.summary, *one.description):
        yield from ("", escaped(text))
    for option in one.options:
        default = f", default {option.default}" if option.default else ""
        about = f"``{option.name}`` : {escaped(option.type + default)}"
        yield from ("", about, f"    {escaped(option.meaning) or '-'}")
    if one.references:
        yield from ("", escaped(f"References: {one.references}"))


def write(app: Sphinx) -> None:
    """Write the page before the sources are read."""
    lines, methods = [HEAD], list(catalogue())
    for function, title in TITLES.items():
        own = [one for one in methods if one.function == function]
        lines += ["", title, "-" * len(title), *listed(own)]
        for one in own:
            lines += described(one)
    page = Path(app.srcdir) / PAGE
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(lines) + "\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the page when the build begins."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
