"""Builds the reference from docstrings: a page for each room of nar, with what it is known for outside.

python docs/reference.py site
"""

import pathlib
import pkgutil
import sys

import pdoc
import pdoc.render

import nar


def rooms() -> list[str]:
    """Modules that are rooms, or rooms within rooms: what they export is their public face."""
    found = pkgutil.walk_packages(nar.__path__, "nar.")
    return ["nar", *(one.name for one in found if one.ispkg or one.name.count(".") == 1)]


def main(folder: pathlib.Path) -> None:
    """Writes the pages."""
    # It is loaded when it is first used; pdoc looks at what is loaded.
    vars(nar)["PROCESSORS"] = nar.PROCESSORS
    pdoc.render.configure(docformat="google")
    pdoc.pdoc(*rooms(), output_directory=folder)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
