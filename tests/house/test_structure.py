"""The architecture: the order of the packages, what each may import, and how large things may be."""

import ast
import functools
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
ROOMS = (
    "problems",
    "algorithms",
    "traces",
    "data",
    "processors",
    "model",
    "losses",
    "training",
    "evaluation",
    "runs",
    "reports",
)
"""Packages in the order of the data flow: each imports only those before it."""
BASE = {"atomic_io", "caching", "plugins", "specs", "statistics"}
"""Modules that every package may import."""
ALLOWED = {room: BASE | set(ROOMS[:number]) for number, room in enumerate(ROOMS)}
ALLOWED["runs"] |= {"text"}
ALLOWED["reports"] |= {"text"}
ALLOWED["text"] = BASE | (set(ROOMS) - {"runs", "reports"})
MAX_FILE, MAX_FUNCTION = 400, 80
SCRIPTS = {
    "benchmark",
    "convert",
    "crash_test",
    "evaluate",
    "evaluate_text",
    "make_text",
    "predict",
    "report",
    "score_text",
    "show",
    "sweep",
    "train",
}
SOURCES = sorted([*(ROOT / "nar").rglob("*.py"), *(ROOT / "experiments").rglob("*.py")])


@functools.cache
def tree(path):
    return ast.parse(path.read_text())


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def room_of(path):
    parts = path.relative_to(ROOT / "nar").parts
    return parts[0].removesuffix(".py")


def imports(path):
    """Dotted names of all modules that a file imports, in functions as well."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "nar":
                yield from (f"nar.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", [*ROOMS, "text"])
def test_packages_import_only_earlier_ones(room):
    wrong = {
        (name_of(path), module)
        for path in (ROOT / "nar" / room).rglob("*.py")
        for module in imports(path)
        if module.startswith("nar.")
        and (ROOT / "nar" / module.split(".")[1]).is_dir()
        and module.split(".")[1] not in ALLOWED[room] | {room}
    }
    assert not wrong


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("haiku", {"processors", "model", "text"}),
        ("jax", {*ROOMS[3:], "text"}),
        ("optax", {"losses", "training", "runs", "text"}),
        ("absl", set()),
        ("ml_collections", set()),
        ("experiments", set()),
        ("configs", set()),
    ],
)
def test_libraries_are_imported_only_where_they_belong(library, rooms):
    wrong = {
        name_of(path)
        for path in (ROOT / "nar").rglob("*.py")
        if room_of(path) not in rooms and any(module.split(".")[0] == library for module in imports(path))
    }
    assert not wrong


def test_scripts():
    found = {path.stem for path in (ROOT / "experiments").glob("*.py")} - {"__init__"}
    assert found == SCRIPTS


def test_sizes():
    for path in SOURCES:
        assert len(path.read_text().splitlines()) <= MAX_FILE, path
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef):
                has_docstring = ast.get_docstring(node) is not None
                body = node.body[has_docstring:]
                assert not body or body[-1].end_lineno - body[0].lineno < MAX_FUNCTION, (path, node.name)
