"""The commands of `nar`: the scripts of `experiments`, with one line on each."""

import ast
import pathlib

_SCRIPTS = pathlib.Path(__file__).parents[1]

_ORDER = ("demo", "train", "evaluate", "predict", "show", "sweep", "report")
"""Commands of the list that come first; the others follow by name."""


def commands() -> dict[str, str]:
    """Name of each command -> the summary of its script, which is not imported."""
    files = {path.stem: path for path in _SCRIPTS.glob("*.py") if not path.stem.startswith("_")}
    names = sorted(files, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
    return {name: _summary(files[name]) for name in names}


def command_list() -> str:
    """The list that `nar --help` prints."""
    lines = {**commands(), "completion": "Prints a script for completion: nar completion bash (or zsh)."}
    width = max(map(len, lines))
    return "\n".join(
        [
            "Neural algorithmic reasoning: networks that learn to execute algorithms.",
            "",
            "Usage: nar COMMAND [--flags]",
            "",
            *(f"  {name:{width}}  {summary}" for name, summary in lines.items()),
            "",
            "nar COMMAND --help explains a command. First steps:",
            "",
            "  nar show --algorithm=bfs --size=8",
            "  nar train --config=bfs --workdir=runs/bfs",
        ]
    )


def _summary(file: pathlib.Path) -> str:
    docstring = ast.get_docstring(ast.parse(file.read_bytes())) or ""
    return docstring.partition("\n")[0]
