"""Commands to continue with after a script, runnable as they are printed."""

import pathlib
import shlex
from collections.abc import Sequence

from experiments.cli.own_command import own_command


def next_commands(*commands: Sequence[object]) -> str:
    """Formats commands, one a line.

    Args:
      *commands: the name of a script in `experiments`, and its arguments.
    """
    lines = (f"    {own_command(str(name))} {shlex.join(map(str, words))}" for name, *words in commands)
    return "\n".join(["Next:", *lines])


def after_training(
    workdir: object, algorithms: Sequence[str], *, is_text: bool = False, needs_trust: bool = False
) -> str:
    """Commands for a finished run.

    Args:
      workdir: its run directory.
      algorithms: its algorithms, as the config names them.
      is_text: whether it is a language model.
      needs_trust: whether its config names code outside nar.
    """
    trust = ["--trust"] if needs_trust else []
    if is_text:
        return next_commands(("evaluate_text", f"--model={workdir}", f"--output={workdir}/answers", *trust))
    return next_commands(
        ("evaluate", f"--workdir={workdir}", "--sizes=16,32,64", *trust),
        (*_show(workdir, algorithms), *trust),
        ("report", workdir),
    )


def after_evaluation(
    workdir: str, algorithms: Sequence[str], output: pathlib.Path, name: str, *, needs_trust: bool = False
) -> str:
    """Commands for an evaluated run.

    Args:
      workdir: its run directory.
      algorithms: the algorithms that were evaluated.
      output: the folder of the evaluation; reports read that of a run in its directory only.
      name: name of the evaluation.
      needs_trust: whether its config names code outside nar.
    """
    commands = [(*_show(workdir, algorithms), *(["--trust"] if needs_trust else []))]
    if output == pathlib.Path(workdir):
        commands += [("report", workdir, *([f"--evaluation={name}"] if name != "evaluation" else []))]
    return next_commands(*commands)


def after_conversion(workdir: pathlib.Path, algorithms: Sequence[str]) -> str:
    """Commands for a run that was converted from dm-clrs; it has no scores yet, so that reports are empty."""
    return next_commands(("evaluate", f"--workdir={workdir}", "--sizes=16,64"), _show(workdir, algorithms))


def after_export(workdir: object, algorithms: Sequence[str], *, needs_trust: bool = False) -> str:
    """Commands for an exported run; the arguments are those of `after_training`."""
    trust = ["--trust"] if needs_trust else []
    return next_commands(("convert", f"--recompute={workdir}", *trust), (*_show(workdir, algorithms), *trust))


def _show(workdir: object, algorithms: Sequence[str]) -> tuple[str, ...]:
    return ("show", f"--workdir={workdir}", f"--algorithm={algorithms[0]}", "--index=0")
