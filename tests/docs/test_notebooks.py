"""Notebooks: they are valid, stored without outputs, and their cells run in order."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))

SHOWN = {"tour": "<table", "processor": "<table", "hidden_states": "(40, 8, 32)"}
"""Notebook -> part of a value that one of its cells shows."""


def cells(path, kind):
    content = json.loads(path.read_text())
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    return [one for one in content["cells"] if one["cell_type"] == kind]


def test_all_notebooks_are_listed():
    page = (ROOT / "docs" / "notebooks" / "README.md").read_text()
    assert len(NOTEBOOKS) >= 3
    assert all(f"({path.name})" in page for path in NOTEBOOKS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stored_without_outputs(path):
    assert cells(path, "markdown")[0]["source"][0].startswith("# ")
    code = cells(path, "code")
    assert all(one["outputs"] == [] and one["execution_count"] is None for one in code)
    names = [one["id"] for one in json.loads(path.read_text())["cells"]]
    assert len(set(names)) == len(names)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_run_in_order(path, tmp_path):
    """In a process of its own; the value of a cell's last expression can be shown."""
    sources = ["".join(one["source"]) for one in cells(path, "code")]
    done = subprocess.run(
        [sys.executable, "-c", RUN_CELLS, json.dumps(sources)],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert SHOWN[path.stem] in done.stdout


RUN_CELLS = """
import ast, json, sys
names = {"__name__": "__main__"}
for source in json.loads(sys.argv[1]):
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, source, "exec"), names)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), source, "eval"), names)
        print(value._repr_html_() if hasattr(value, "_repr_html_") else value)
"""
"""Program that runs cells as a notebook does."""
