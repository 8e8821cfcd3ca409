"""The architecture: the order of the packages, what each may import, and how large things may be."""

import ast
import functools
import graphlib
import pathlib
import re

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
BASE = {
    "atomic_io",
    "caching",
    "kinds",
    "machine",
    "metrics_file",
    "ownership",
    "plugins",
    "progress",
    "reading",
    "redaction",
    "rich_display",
    "signals",
    "specs",
    "statistics",
}
"""Modules that every package may import."""
ALLOWED = {room: BASE | set(ROOMS[:number]) for number, room in enumerate(ROOMS)}
ALLOWED["runs"] |= {"text"}
ALLOWED["reports"] |= {"text"}
ALLOWED["text"] = BASE | (set(ROOMS) - {"runs", "reports"})
MAX_FILE, MAX_FUNCTION, MAX_EXPORTS = 400, 60, 25
SCRIPTS = {
    "benchmark",
    "convert",
    "crash_test",
    "demo",
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


def test_imports_have_no_cycles():
    """Imports at the top of modules; those in functions run later."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in SOURCES}
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
    graph = {}
    for name, path in modules.items():
        nodes = tree(path).body
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        for node in nodes:
            if isinstance(node, ast.ImportFrom):
                members = {f"{node.module}.{alias.name}" for alias in node.names}
                names |= members & set(modules) or {node.module}
        graph[name] = names & set(modules)
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_scripts():
    found = {path.stem for path in (ROOT / "experiments").glob("*.py")} - {"__init__", "__main__"}
    assert found == SCRIPTS


def exports(path):
    """Names in `__all__` of a file."""
    for node in tree(path).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return ast.literal_eval(node.value)
    return []


def test_packages_export_few_names():
    """Names that few modules need are imported from the module that defines them."""
    for path in SOURCES:
        names = exports(path)
        assert len(names) <= MAX_EXPORTS, (name_of(path), len(names))
        assert len(set(names)) == len(names), name_of(path)


def definitions(path):
    """Names that a module defines at its top level."""
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def unexplained_words(path):
    """Words of a file name that are neither in a name that it defines nor in the summary of its docstring.

    Endings do not count: `decoding.py` may define `decode_outputs`.
    """
    summary = (ast.get_docstring(tree(path)) or "").split("\n\n")[0]
    content = re.sub(r"[^a-z]", "", " ".join([summary, *definitions(path)]).lower())
    words = [word for word in path.stem.split("_") if len(word) > 3]
    return [word for word in words if word[: max(4, len(word) - 3)] not in content]


def test_modules_are_named_after_what_they_define():
    modules = [path for path in SOURCES if path.stem not in ("__init__", "base")]
    wrong = {name_of(path): words for path in modules if (words := unexplained_words(path))}
    assert not wrong


def test_names_of_modules_are_specific():
    """Only `benchmarks/lib`, the code that benchmarks share, has a vague name."""
    vague = {"utils", "util", "common", "helpers", "misc", "tools", "core", "lib"}
    names = {part for path in SOURCES for part in path.relative_to(ROOT).with_suffix("").parts}
    assert names & vague == {"lib"}


def test_names_of_test_files_are_unique():
    """Pytest imports test files by their plain names: it cannot collect two of one name."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "__init__.py"]
    assert not {name for name in names if names.count(name) > 1}


def test_sizes():
    for path in SOURCES:
        assert len(path.read_text().splitlines()) <= MAX_FILE, path
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef):
                has_docstring = ast.get_docstring(node) is not None
                body = node.body[has_docstring:]
                assert not body or body[-1].end_lineno - body[0].lineno < MAX_FUNCTION, (path, node.name)
