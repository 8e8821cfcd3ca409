"""The command `nar`: runs the scripts of this package by name.

nar                                          list of the commands
nar train --config=bfs --workdir=runs/bfs    python -m experiments.train, with the same flags
nar train --help                             its flags
nar completion bash                          completion for a shell
"""

import os
import runpy
import sys
from collections.abc import Sequence

from experiments.cli.command_list import command_list, commands
from experiments.cli.signals import exit_on_signals
from experiments.cli.streams import make_streams_tolerant


def main(words: Sequence[str] | None = None) -> None:
    """Runs the command that the words name, by default those of the command line."""
    exit_on_signals()
    make_streams_tolerant()
    words = sys.argv[1:] if words is None else list(words)
    if not words or words[0] in ("-h", "--help", "help"):
        print(command_list())
    elif words[0] in ("-V", "--version", "version"):
        _print_version()
    elif words[0] == "completion":
        _print_completion(words[1:])
    else:
        _run_script(words[0].replace("-", "_"), words[1:])


def _run_script(name: str, words: Sequence[str]) -> None:
    known = commands()
    if name not in known:
        from nar.plugins import unknown_name

        sys.exit(f"error: {unknown_name('command', name, known)}\nSee nar --help.")
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.append(os.getcwd())  # of plug-ins, `module:ATTRIBUTE`; `python -m` does the same
    sys.argv = [f"nar {name}", *words]
    runpy.run_module(f"experiments.{name}", run_name="__main__", alter_sys=True)


def _print_completion(words: Sequence[str]) -> None:
    from experiments.cli.completion import SHELLS, completion_script

    if len(words) != 1 or words[0] not in SHELLS:
        sys.exit(f"error: name a shell: nar completion {' or nar completion '.join(SHELLS)}")
    print(completion_script(words[0]))


def _print_version() -> None:
    import nar

    print(f"nar {nar.__version__}")


if __name__ == "__main__":
    main()
