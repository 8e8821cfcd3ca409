"""Trains the network of a config: a graph network or a language model.

    python -m experiments.train --config=configs/bfs.py --workdir=runs/bfs
    python -m experiments.train --config=configs/bfs.py --workdir=runs/wide --config.model.hidden_size=192
    python -m experiments.train --config=configs/text_small.py --workdir=runs/text
    python -m experiments.train --config=configs/bfs.py --dry_run

The same command on the same workdir resumes the run; on a finished run it prints the result.
--config=bfs is short for --config=configs/bfs.py.
"""

import sys

from absl import flags
from ml_collections import config_flags

from experiments.cli import distributed, trust
from experiments.cli.config_help import help_text
from experiments.cli.launch import launch
from experiments.cli.next_commands import after_training
from experiments.cli.paths import define_path
from experiments.cli.trust import TRUST
from nar.reports import draw_curves, result_summary
from nar.reports.insight import insight
from nar.runs.build import resolve_config
from nar.runs.config import RunConfig
from nar.runs.text_config import TextRunConfig
from nar.runs.train import Interrupted, train
from nar.runs.trust import foreign_names
from nar.training.devices import is_first_process

_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "Config file, such as configs/base.py; --config.KEY=VALUE overrides a key. The keys and their defaults "
    f"(docs/config.md has those of language models):\n{help_text(RunConfig())}",
)
_WORKDIR = define_path("workdir", None, "Run directory. Created if missing, resumed if it exists.")
_PRINT_CONFIG = flags.DEFINE_bool("print_config", False, "Print every config key and its value, and exit.")
_DRY_RUN = flags.DEFINE_bool(
    "dry_run",
    False,
    "Take a few steps, print the number of parameters and the estimated time of training, and exit.",
)
flags.adopt_module_key_flags(distributed)
flags.adopt_module_key_flags(trust)


def main() -> None:
    """Runs the config of the flags in the workdir of the flags, and prints the result."""
    if _PRINT_CONFIG.value or _DRY_RUN.value:
        _describe()
        return
    if _WORKDIR.value is None:
        raise ValueError(f"--workdir is missing: {flags.FLAGS['workdir'].help}")
    try:
        run = train(_CONFIG.value.to_dict(), _WORKDIR.value, draw_curves=draw_curves, trust=TRUST.value)
    except Interrupted:
        message = f"Interrupted; run the same command to resume. Run: {_WORKDIR.value}"
        sys.exit(message if is_first_process() else 1)
    if is_first_process():
        result, is_text = run.result or {}, isinstance(run.config, TextRunConfig)
        print(f"\n{result_summary(result)}\n{'' if is_text else insight(result)}\nRun: {run.workdir}\n")
        needs_trust = bool(foreign_names(run.config.to_dict()))
        print(after_training(run.workdir, run.config.algorithms, is_text=is_text, needs_trust=needs_trust))


def _describe() -> None:
    """Prints the config, or what it would train."""
    from experiments.cli.dry_run import config_lines, describe_run

    config = resolve_config(_CONFIG.value.to_dict())
    text = config_lines(config) if _PRINT_CONFIG.value else describe_run(config, TRUST.value)
    if is_first_process():
        print(text)


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    launch(distributed.multi_process(main))
