"""Settings of Sphinx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from clearinghouse import __version__

project = "Clearing house"
author = "the contributors to the clearing house"
copyright = author
version = release = __version__

extensions = ["docs.pages"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"{project} {__version__}"
html_copy_source = False
html_show_sourcelink = False
