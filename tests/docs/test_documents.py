"""Documents: links lead somewhere, python blocks run, commands are ones that the scripts take."""

import collections
import importlib.util
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NEEDS = {"datasets": "text_dataset("}
"""Package -> what of a block needs it; blocks are run without such statements where it is missing."""

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def name_of(page):
    return str(page.relative_to(ROOT))


def command_lines(page):
    """Lines of code that have a command of ours in them, joined with those that go on with it."""
    found = re.findall(r"`(python -m experiments\.[^`]+)`", page.read_text())
    lines = re.sub(r"\\\n\s*", "", page.read_text()).splitlines()
    while lines:
        line = lines.pop(0)
        if re.match(r" {4,}.*python -m experiments\.", line):
            while re.search(r'="[^"]*$', line) and lines:
                line += lines.pop(0)
            found.append(line.strip())
    return found


def words_of(line):
    """Script and words of a command, up to a pipe or the end of a quoted one."""
    text = line[line.index("python -m experiments.") + len("python -m ") :]
    try:
        words = shlex.split(text, comments=True)
    except ValueError:  # it stands in quotes itself, the last of which ends it
        words = shlex.split(text.rstrip('"'), comments=True)
    for stop in ("|", "&&", ";", ">"):
        words = words[: words.index(stop)] if stop in words else words
    return words[0], words[1:]


def commands():
    """Script -> its commands in all documents and scripts, each with the file where it was found first."""
    found = collections.defaultdict(dict)
    for page in [*PAGES, *sorted((ROOT / "experiments").rglob("*.py")), ROOT / "nar/processors/README.md"]:
        for line in command_lines(page):
            script, words = words_of(line)
            if not any(sign in line for sign in ("...", "$", "experiments.NAME")):
                found[script].setdefault(tuple(words), name_of(page))
    return found


# ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for target in [one or other for one, other in LINK.findall(page.read_text())]:
        path, _, anchor = target.partition("#")
        if path.startswith(("http:", "https:")):
            continue
        file = (page.parent / path) if path else page
        assert file.exists(), f"{name_of(page)}: {target}"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor in slugs, f"{name_of(page)}: {target}; there are: {sorted(slugs)}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_names_a_folder_of_some_machine(page):
    assert not re.search(r"(?<![\w.])/(home|root|Users|work)/", page.read_text())


def test_there_are_commands_in_the_guide():
    found = commands()
    assert {"experiments.train", "experiments.evaluate", "experiments.sweep", "experiments.convert"} <= set(
        found
    )
    assert sum(map(len, found.values())) > 30


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(commands()))
def test_commands_are_ones_that_the_script_takes(script):
    """Flags exist, configs resolve, networks and sweeps can be assembled."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "support" / "document_commands.py"), script],
        input=json.dumps([list(words) for words in commands()[script]]),
        cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


# ---------------------------------------------------------------------------------------------------
# What a reader of the guide does, in a folder where there is nothing but what the pages made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with `runs/bfs`, made by the first command of the guide, but smaller."""
    path = tmp_path_factory.mktemp("reader")
    line = next(line for line in command_lines(ROOT / "README.md") if "experiments.train" in line)
    script, words = words_of(line)
    assert "--workdir=runs/bfs" in words
    smaller = ["training.steps=4", "training.batch_size=4", "model.hidden_size=8", "data.sizes=(4,)"]
    execute(path, script, [*words, *(f"--config.{one}" for one in smaller)])
    return path


def execute(path, script, words):
    words = [word.replace("configs/", f"{ROOT}/configs/") for word in words]
    done = subprocess.run(
        [sys.executable, "-m", script, *words],
        cwd=path, env=ENVIRONMENT, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


SMALLER = {
    "experiments.evaluate": ["--sizes=4"],
    "experiments.predict": [],
    "experiments.show": [],
    "experiments.sweep": ["--launcher=print"],
}
"""Scripts whose commands are run, and what makes them take little time."""


@pytest.mark.slow
@pytest.mark.parametrize("script", SMALLER)
def test_short_commands_run(folder, script):
    ran = 0
    for words in commands()[script]:
        workdir = next((word for word in words if word.startswith("--workdir=")), "--workdir=runs/bfs")
        if script == "experiments.sweep" and "--sweep_index" not in " ".join(words):
            execute(ROOT, script, [*words, *SMALLER[script], f"--workdir={folder}/sweep{ran}"])
            ran += 1
            if ran == 1:
                break
        elif (
            script != "experiments.sweep"
            and workdir == "--workdir=runs/bfs"
            and "tarjan" not in " ".join(words)
        ):
            execute(folder, script, [*words, *SMALLER[script]])
            ran += 1
    assert ran > 0


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if BLOCK.search(page.read_text())], ids=name_of)
def test_python_blocks_run_in_the_order_of_the_page(folder, page):
    code = "\n".join(BLOCK.findall(page.read_text()))
    for package, statement in NEEDS.items():
        if importlib.util.find_spec(package) is None:
            code = re.sub(rf"^{re.escape(statement)}\n.*?^\).*?$", "", code, flags=re.DOTALL | re.MULTILINE)
    preamble = PREAMBLES.get(name_of(page), "")
    done = subprocess.run(
        [sys.executable, "-c", preamble + code],
        cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


PREAMBLES = {
    "docs/text.md": "import nar\ntrace = nar.run_algorithm('bfs', A=[(0, 1), (1, 2)], s=0)\n",
    "CONTRIBUTING.md": (
        "import haiku as hk\nimport jax\nimport jax.numpy as jnp\n"
        "from nar.processors import Context, Linear, ProcessorOutput\n"
    ),
}
"""What a page takes as known."""


# ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_reference_is_built_and_its_links_lead_somewhere(tmp_path):
    pytest.importorskip("pdoc")
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "reference.py"), str(tmp_path)],
        cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Warn" not in done.stderr, done.stderr
    pages = {path: path.read_text() for path in tmp_path.rglob("*.html")}
    for name in ("nar/processors", "nar/training/trackers", "nar/specs"):
        assert any(str(path).endswith((f"{name}.html", f"{name}/index.html")) for path in pages), sorted(
            pages
        )
    names = {path: set(re.findall(r'\bid="([^"]+)"', page)) for path, page in pages.items()}
    for path, page in pages.items():
        for target in re.findall(r'href="([^"]+)"', page):
            file, _, anchor = target.partition("#")
            if not target.startswith(("http", "data:", "${")):
                found = (path.parent / file).resolve() if file else path
                assert found in pages, f"{path}: {target}"
                assert not anchor or anchor in names[found], f"{path}: {target}"
