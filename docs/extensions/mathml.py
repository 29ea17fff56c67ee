"""Formulas as MathML, which browsers display without a script, a font or a network."""

import re

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

FENCE = re.compile(r'<mo( class="mathopen")?>([‖|{}])</mo>')


def mathml(formula: str, *, displayed: bool) -> str:
    """Return a formula in LaTeX as MathML, whose fences keep the size of the line."""
    return FENCE.sub(r'<mo stretchy="false">\2</mo>', tex2mathml(formula, as_block=displayed))


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula within a line."""
    translator.body.append(mathml(node.astext(), displayed=False))
    raise nodes.SkipNode


def visit_displayed(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula on a line of its own."""
    translator.body.append(f"<div>{mathml(node.astext(), displayed=True)}</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the renderer under the name "mathml"."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_displayed, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
