"""Commands to continue with after training."""

import shlex
from collections.abc import Sequence


def next_commands(workdir: object, algorithms: Sequence[str], is_text: bool) -> str:
    """Formats commands for a finished run, one a line.

    Args:
      workdir: its run directory.
      algorithms: its algorithms, as the config names them.
      is_text: whether it is a language model.
    """
    path = shlex.quote(str(workdir))
    if is_text:
        commands = [("evaluate_text", f"--model={path} --output={path}/answers")]
    else:
        commands = [
            ("evaluate", f"--workdir={path} --sizes=16,32,64"),
            ("show", f"--workdir={path} --algorithm={shlex.quote(algorithms[0])} --index=0"),
            ("report", path),
        ]
    prefix = "    python -m experiments"
    return "\n".join(["Next:", *(f"{prefix}.{name} {flags}" for name, flags in commands)])
