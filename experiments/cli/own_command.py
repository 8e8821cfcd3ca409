"""Words that start a command of nar, as they can be pasted into the shell that started this process."""

import os
import pathlib
import shlex
import shutil
import sys


def own_command(name: str) -> str:
    """The command of a script: `nar NAME` if the shell finds it, or else the path of this environment's one.

    Without the command `nar`, in an environment that was not installed, it is `python -m experiments.NAME`.
    """
    folder = pathlib.Path(sys.executable).parent
    if (folder / "nar").is_file():
        return f"{_program(folder / 'nar')} {name}"
    return f"{_program(pathlib.Path(sys.executable))} -m experiments.{name}"


def _program(path: pathlib.Path) -> str:
    """The name of a program if the shell finds this one by it, or else its path."""
    names = ("python", path.name) if path.name.startswith("python") else (path.name,)
    for name in names:
        found = shutil.which(name)
        if found and pathlib.Path(found).parent == path.parent:
            return name
    is_inside = path.is_relative_to(pathlib.Path.cwd())
    return shlex.quote(os.path.relpath(path) if is_inside else str(path))
