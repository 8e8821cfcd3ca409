"""Documents: links resolve, Python blocks run, and the scripts accept the commands."""

import collections
import importlib.util
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from commands import run

from experiments.cli.command_list import commands as commands_of_nar
from nar import problems

ROOT = pathlib.Path(__file__).parents[2]
ROOT_PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md")
PAGES = [*(ROOT / name for name in ROOT_PAGES), *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NEEDS = {"datasets": "text_dataset("}
"""Optional package -> the call that needs it; such statements are removed if the package is missing."""

NAR_COMMAND = re.compile(rf"(?<![\w./-])nar ({'|'.join(commands_of_nar())}) (?=[-\w])")

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def relative_name(page):
    return str(page.relative_to(ROOT))


def command_lines(page):
    """Code lines with a command of `experiments`, with continuation lines joined; `nar NAME` is one, too."""
    text = page.read_text()
    if page.suffix == ".md":
        text = NAR_COMMAND.sub(r"python -m experiments.\1 ", text)
    found_lines = re.findall(r"`(python -m experiments\.[^`]+)`", text)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    while lines:
        line = lines.pop(0)
        if re.match(r" {4,}.*python -m experiments\.", line):
            while re.search(r'="[^"]*$', line) and lines:
                line += lines.pop(0)
            found_lines.append(line.strip())
    return found_lines


def split_command(line):
    """Script and arguments of a command, up to a pipe or the end of a quoted command."""
    text = line[line.index("python -m experiments.") + len("python -m ") :]
    try:
        words = shlex.split(text, comments=True)
    except ValueError:  # the command is inside quotes, and ends at the closing one
        words = shlex.split(text.rstrip('")'), comments=True)
    for stop in ("|", "&&", ";", ">"):
        words = words[: words.index(stop)] if stop in words else words
    return words[0], words[1:]


def documented_commands():
    """Script -> arguments of its commands in all documents and scripts -> the first file that has them."""
    by_script = collections.defaultdict(dict)
    for page in [*PAGES, *sorted((ROOT / "experiments").rglob("*.py")), ROOT / "nar/processors/README.md"]:
        for line in command_lines(page):
            script, words = split_command(line)
            if not any(placeholder in line for placeholder in ("...", "$", "experiments.NAME")):
                by_script[script].setdefault(tuple(words), relative_name(page))
    return by_script


# ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=relative_name)
def test_links_resolve(page):
    for target in [one or other for one, other in LINK.findall(page.read_text())]:
        path, _, anchor = target.partition("#")
        if path.startswith(("http:", "https:")):
            continue
        file = (page.parent / path) if path else page
        assert file.exists(), f"{relative_name(page)}: {target}"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor in slugs, f"{relative_name(page)}: {target}; known: {sorted(slugs)}"


@pytest.mark.parametrize("page", PAGES, ids=relative_name)
def test_pages_have_no_machine_specific_paths(page):
    assert not re.search(r"(?<![\w.])/(home|root|Users|work)/", page.read_text())


def test_moving_picture_is_that_of_its_command():
    spec = importlib.util.spec_from_file_location("moving_picture", ROOT / "docs" / "moving_picture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "bfs.svg").read_text() == f"{module.moving_picture()}\n"


def test_documents_contain_commands():
    by_script = documented_commands()
    assert {"experiments.train", "experiments.evaluate", "experiments.sweep", "experiments.convert"} <= set(
        by_script
    )
    assert sum(map(len, by_script.values())) > 30


def test_table_of_problems_names_their_arguments_and_input_probes():
    rows = re.findall(
        r"^\| (`[A-Z_`, ]+`) \| (.*) \| (.*) \|$", (ROOT / "docs/extend.md").read_text(), re.MULTILINE
    )
    assert len(rows) >= 6
    for names, arguments, probes in (map(re.compile("`(\\w+)`").findall, row) for row in rows):
        for problem in (getattr(problems, name) for name in names):
            instance = problem.sample(np.random.RandomState(0), 6)
            assert (arguments, probes) == (list(problem.arguments), list(problem.probes(*instance)._fields))


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(documented_commands()))
def test_scripts_accept_documented_commands(tmp_path, script):
    """Flags exist, configs resolve, networks and sweeps can be built."""
    path = tmp_path / "commands.json"
    path.write_text(json.dumps([list(words) for words in documented_commands()[script]]))
    code, output, errors = run("support.document_commands", script, path, timeout=500)
    assert code == 0, output + errors


# ---------------------------------------------------------------------------------------------------
# Following the guide, in a directory with only the files that the pages create


@pytest.fixture(scope="module")
def guide_directory(tmp_path_factory):
    """A directory with `runs/bfs`, trained by the first command of the guide with a smaller config."""
    path = tmp_path_factory.mktemp("guide")
    lines = command_lines(ROOT / "README.md")
    line = next(line for line in lines if "experiments.train --config=bfs --workdir" in line)
    script, words = split_command(line)
    assert "--workdir=runs/bfs" in words
    small_config = ["training.steps=4", "training.batch_size=4", "model.hidden_size=8", "data.sizes=(4,)"]
    execute(path, script, [*words, *(f"--config.{one}" for one in small_config)])
    return path


def execute(path, script, words):
    words = [word.replace("configs/", f"{ROOT}/configs/") for word in words]
    code, output, errors = run(script.removeprefix("experiments."), *words, cwd=path, timeout=500)
    assert code == 0, output + errors


QUICK_FLAGS = {
    "experiments.evaluate": ["--sizes=7", "--count=4", "--overwrite"],
    "experiments.predict": [],
    "experiments.show": [],
    "experiments.sweep": ["--launcher=print"],
}
"""Scripts whose commands are run -> flags that make them quick."""


def names_known_networks(words):
    """Returns False for a command with a pretrained network that is not in the package."""
    names = [word.removeprefix("--pretrained=") for word in words if word.startswith("--pretrained=")]
    return all((ROOT / "nar" / "runs" / "weights" / f"{name}_seed0").is_dir() for name in names)


def with_new_flags(lines):
    """The commands that have a flag which no earlier one has: each takes seconds."""
    known = set()
    for words in lines:
        names = {word.partition("=")[0] for word in words if word.startswith("--")}
        if names - known:
            known |= names
            yield words


@pytest.mark.slow
@pytest.mark.parametrize("script", QUICK_FLAGS)
def test_short_commands_run(guide_directory, script):
    """Every flag of the documented commands is used in one that runs."""
    ran = 0
    for words in with_new_flags(filter(names_known_networks, documented_commands()[script])):
        workdir = next((word for word in words if word.startswith("--workdir=")), "--workdir=runs/bfs")
        if script == "experiments.sweep" and "--sweep_index" not in " ".join(words):
            execute(ROOT, script, [*words, *QUICK_FLAGS[script], f"--workdir={guide_directory}/sweep{ran}"])
            ran += 1
            if ran == 1:
                break
        elif (
            script != "experiments.sweep"
            and workdir == "--workdir=runs/bfs"
            and "tarjan" not in " ".join(words)
        ):
            execute(guide_directory, script, [*words, *QUICK_FLAGS[script]])
            ran += 1
    assert ran > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if BLOCK.search(page.read_text())], ids=relative_name
)
def test_python_blocks_run_in_order(guide_directory, tmp_path, page):
    code = "\n".join(BLOCK.findall(page.read_text()))
    for package, statement in NEEDS.items():
        if importlib.util.find_spec(package) is None:
            code = re.sub(rf"^{re.escape(statement)}\n.*?^\).*?$", "", code, flags=re.DOTALL | re.MULTILINE)
    path = tmp_path / "blocks.py"
    path.write_text(PREAMBLES.get(relative_name(page), "") + code)
    code, output, errors = run("support.run_code", path, cwd=guide_directory, timeout=500)
    assert code == 0, output + errors


PREAMBLES = {
    "CONTRIBUTING.md": (
        "import haiku as hk\nimport jax\nimport jax.numpy as jnp\n"
        "from nar.processors import Context, ProcessorOutput\n"
        "from nar.processors.layers.linear import Linear\n"
    ),
}
"""Page -> code that its Python blocks rely on."""


# ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_site_is_built_and_its_links_resolve(tmp_path):
    """Guides and reference share one navigation, and no link leads out of the site."""
    pytest.importorskip("mkdocs")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-q", "-d", str(tmp_path)],
        cwd=ROOT, env=ENVIRONMENT | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    pages = {path: path.read_text() for path in tmp_path.rglob("*.html") if path.name != "404.html"}
    front = pages[tmp_path / "index.html"]
    for name in ("processors", "training.trackers", "specs"):
        assert f'href="reference/nar.{name}.html"' in front
    guides = [path.stem for path in (ROOT / "docs").glob("*.md")]
    assert all(f'href="{name}.html"' in front for name in guides)
    assert 'id="nar.processors.PGN"' in pages[tmp_path / "reference" / "nar.processors.html"]
    names = {path: set(re.findall(r'\bid="([^"]+)"', page)) for path, page in pages.items()}
    for path, page in pages.items():
        for target in re.findall(r'href="([^"]+)"', page):
            file, _, anchor = target.partition("#")
            if not target.startswith(("http", "data:", "mailto:", "javascript:", "${")):
                linked = (path.parent / file).resolve() if file else path
                assert linked.exists(), f"{path}: {target}"
                assert not anchor or linked.suffix != ".html" or anchor in names[linked], f"{path}: {target}"
