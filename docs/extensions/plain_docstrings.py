"""Docstrings with formulas in plain text, such as `||x_i - x_j||_p`, as reStructuredText.

Outside of backquotes, the characters `|`, `*` and `_` of a docstring are no markup. An indented
paragraph below text that is not indented is a displayed formula or a program.
"""

import re

from sphinx.application import Sphinx

CODE = re.compile(r"(:\w+:`[^`]+`|`+[^`]+`+|https?://\S+)")
MARKUP = re.compile(r"\*|\||(?<=\w)_(?!\w)|(?<!\w)_(?=_|\W|$)")


def escaped(line: str) -> str:
    """Return a line in which only backquotes are markup."""
    parts = CODE.split(line)
    parts[::2] = [MARKUP.sub(r"\\\g<0>", part) for part in parts[::2]]
    return "".join(parts)


def indentation(line: str) -> int:
    """Return the number of leading spaces."""
    return len(line) - len(line.lstrip())


def translate(
    app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Translate the lines of a docstring in place, before numpydoc reads its sections."""
    text: list[str] = []
    outer = 0  # the indentation of the text above
    displayed = False
    for above, line in zip(["", *lines], lines, strict=False):
        if line.strip():
            begins = not above.strip() and indentation(line) > outer
            if begins and not displayed:
                text += [" " * outer + "::", ""]
            displayed = begins or (displayed and indentation(line) > outer)
            outer = outer if displayed else indentation(line)
        text.append(line if displayed else escaped(line))
    lines[:] = text


def setup(app: Sphinx) -> dict[str, bool]:
    """Translate each docstring before numpydoc does, whose priority is 500."""
    app.connect("autodoc-process-docstring", translate, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
