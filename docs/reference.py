"""Builds the API reference from docstrings: one page per package of nar, with its exported names.

python docs/reference.py site
"""

import importlib
import pathlib
import pkgutil
import sys

import pdoc
import pdoc.render

import nar
import nar.runs


def rooms() -> list[str]:
    """Names of nar's packages and top-level modules, whose exports are the public API."""
    modules = pkgutil.walk_packages(nar.__path__, "nar.")
    return ["nar", *(module.name for module in modules if module.ispkg or module.name.count(".") == 1)]


def index() -> str:
    """A list of the packages and modules, each with its summary; pdoc turns the names into links."""
    documented = [(name, importlib.import_module(name).__doc__ or "") for name in rooms()[1:]]
    return "\n".join(f"- `{name}`: {text.strip().splitlines()[0]}" for name, text in documented if text)


def main(folder: pathlib.Path) -> None:
    """Writes the pages to `folder`."""
    # Some names are imported lazily; pdoc only sees what has been imported.
    for package in (nar, nar.runs):
        vars(package).update({name: getattr(package, name) for name in package.__all__})
    nar.__doc__ = f"{nar.__doc__}\n\n# Packages and modules\n\n{index()}"
    pdoc.render.configure(docformat="google")
    pdoc.pdoc(*rooms(), output_directory=folder)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
