"""Hooks of the site (`mkdocs.yml`): pages of the API reference, and files of the repository outside of docs/.

The README is the front page. Every other file outside of docs/ that a page links to is part of the site, in
`repository/`, so that no link leaves it.
"""

import importlib
import pathlib
import pkgutil
import posixpath
import re
from typing import Any

from mkdocs.structure.files import File, Files

import nar

ROOT = pathlib.Path(__file__).parents[1]
FRONT, DOCS, OUTSIDE, REFERENCE = "README.md", "docs/", "repository/", "reference/"

_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
_FENCE = re.compile(r"^( {4}|```)")


def packages() -> list[str]:
    """Names of nar's packages and top-level modules, whose exports are the public API."""
    modules = pkgutil.walk_packages(nar.__path__, "nar.")
    return ["nar", *(module.name for module in modules if module.ispkg or module.name.count(".") == 1)]


def on_config(config: Any) -> Any:
    """Adds the pages of the reference to the navigation."""
    pages = [{package: f"{REFERENCE}{package}.md"} for package in documented_packages()]
    config.nav.append({"Reference": [f"{REFERENCE}index.md", *pages]})
    return config


def documented_packages() -> list[str]:
    """The packages and modules that export names."""
    return [package for package in packages() if exports(package)]


def exports(package: str) -> list[str]:
    """Public names of a package or module."""
    module = importlib.import_module(package)
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return list(listed)
    is_package = hasattr(module, "__path__")
    own = (name for name, value in vars(module).items() if getattr(value, "__module__", None) == package)
    return [] if is_package else [name for name in own if not name.startswith("_")]


def on_files(files: Files, config: Any) -> Files:
    """Adds the front page, the reference, and what pages link to outside of docs/."""
    for package in documented_packages():
        files.append(File.generated(config, f"{REFERENCE}{package}.md", content=_reference_page(package)))
    files.append(File.generated(config, f"{REFERENCE}index.md", content=_reference_index()))
    pending = [FRONT, "CONTRIBUTING.md", "CHANGELOG.md"]
    pending += [
        DOCS + file.src_uri for file in files if file.src_uri.endswith(".md") and not file.generated_by
    ]
    added = set(pending)
    while pending:
        path = pending.pop()
        if not path.startswith(DOCS):
            content: Any = (ROOT / path).read_bytes()
            text = content.decode() if path.endswith(".md") else content
            files.append(File.generated(config, _site_path(path), content=text))
        if path.endswith(".md"):
            for target in _targets(path):
                if target is not None and target not in added and not target.startswith(DOCS):
                    added.add(target)
                    pending.append(target)
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Makes links relative to the pages of the site; a folder without README loses its link."""
    uri = page.file.src_uri
    if uri.startswith(REFERENCE):
        return markdown
    path = FRONT if uri == "index.md" else uri.removeprefix(OUTSIDE)
    path = path if path == FRONT or uri.startswith(OUTSIDE) else DOCS + uri

    def rewrite(match: re.Match[str]) -> str:
        target = _resolve(path, match[1])
        if target is None:
            return match[1]
        return posixpath.relpath(_site_path(target), posixpath.dirname(uri) or ".") + (match[2] or "")

    lines = [line if _FENCE.match(line) else _LINK.sub(rewrite, line) for line in markdown.splitlines()]
    return _without_folders(path, "\n".join(lines))


def _without_folders(path: str, markdown: str) -> str:
    """Replaces links to folders without README by their text."""

    def text(match: re.Match[str]) -> str:
        is_folder = (
            not match[2].startswith(("http", "#")) and (ROOT / path).parent.joinpath(match[2]).is_dir()
        )
        return match[1] if is_folder else match[0]

    return re.sub(r"\[([^\]\[]*)\]\(([^)\s]+)\)", text, markdown)


def _site_path(path: str) -> str:
    """The place in the site of a file of the repository."""
    if path == FRONT:
        return "index.md"
    return path.removeprefix(DOCS) if path.startswith(DOCS) else OUTSIDE + path


def _targets(path: str) -> list[str | None]:
    return [_resolve(path, match[1]) for match in _LINK.finditer((ROOT / path).read_text())]


def _resolve(path: str, target: str) -> str | None:
    """The file of the repository that a link of a page leads to; None for a folder without README."""
    file = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if (ROOT / file).is_dir():
        file = posixpath.join(file, "README.md")
    return file if (ROOT / file).is_file() else None


def _reference_page(package: str) -> str:
    members = "".join(f"        - {name}\n" for name in exports(package))
    return f"# {package}\n\n::: {package}\n    options:\n      members:\n{members}"


def _reference_index() -> str:
    """A list of the packages and modules, each with its summary."""
    lines = [f"- [{package}]({package}.md): {_summary(package)}" for package in documented_packages()]
    return "# Reference\n\n" + "\n".join(lines) + "\n"


def _summary(package: str) -> str:
    return (importlib.import_module(package).__doc__ or "").strip().partition("\n")[0]
