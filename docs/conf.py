"""How Sphinx builds this documentation: ``sphinx-build -W docs docs/_build``."""

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
# Notebook kernels inherit this, so that all figures look alike.
os.environ["MATPLOTLIBRC"] = str(Path(__file__).parent / "matplotlibrc")
# A backend that is set outside would keep figures from the pages.
os.environ.pop("MPLBACKEND", None)
# They run in a temporary folder, and one page shows what the benchmarks have measured.
os.environ["GDLAB_CHECKOUT"] = str(Path(__file__).parent.parent)

project = "gdlab"
author = "The gdlab authors"
copyright = f"2026, {author}"
release = version = installed_version("gdlab")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "formulas",
    "mathml",
    "method_pages",
    "offline",
    "pictures",
    "public_names",
]
exclude_patterns = ["_build", "_ext", "jupyter_execute"]

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_title = "gdlab"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

# Always, and not from a cache: a cache does not notice that gdlab changed under an unchanged page.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
# A progress bar is over before anybody reads the page, and its widget would load from another host.
nb_ipywidgets_js = {}
# CommonMark alone has no tables.
nb_render_markdown_format = "myst"
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"

add_module_names = False
autodoc_default_options = {"members": True, "no-value": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autosummary_generate = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["When to use"]
toc_object_entries_show_parents = "hide"
