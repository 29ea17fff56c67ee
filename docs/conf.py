"""Configuration of the documentation: `sphinx-build -W --keep-going docs build/docs`."""

import os
import sys
from importlib import import_module, metadata
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))
os.environ.setdefault("MPLBACKEND", "agg")

project = "bilad"
author = "the bilad developers"
version = release = metadata.version("bilad")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "plain_docstrings",
    "method_page",
]
exclude_patterns = ["extensions"]
templates_path = ["_templates"]
default_role = "literal"  # docstrings write code between single backquotes

html_theme = "furo"
html_title = f"bilad {release}"
html_static_path = ["_static"]
html_css_files = ["formulas.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_copyright = False

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# A page for every public name of a module, in the order of `__all__`.
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
# Some file systems do not distinguish the pages of `Attack` and `attack`.
autosummary_filename_map = {
    f"{module}.{name}": f"{module}.{name}-class"
    for module in ("bilad.models", "bilad.formulations", "bilad.solvers")
    for name in import_module(module).__all__
    if name[0].isupper()
}
autodoc_typehints = "none"  # the docstrings give the types, with shapes and units
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # the template lists them
# Required are complete sections; not examples, links, or words about what a type describes.
numpydoc_validation_checks = {"all", "EX01", "ES01", "SA01", "RT01", "PR04", "PR07", "PR08", "RT03"}
numpydoc_validation_exclude = {r"\.Follower$"}  # it has the signature of every Pyomo block
# Short methods, and results, which are made by functions, have no section of parameters.
numpydoc_validation_overrides = {"PR01": [r"\A(?![\s\S]*\n\s*Parameters\n)"]}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",  # the others take minutes
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
    "show_signature": False,
    "within_subsection_order": "FileNameSortKey",
}
