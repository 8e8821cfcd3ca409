"""Checks the command lines of one script that occur in documents.

    python tests/support/document_commands.py experiments.train commands.json

Each command is a list of words. Its flags are parsed, and what `--config` and `--sweep` resolve to is built.
Nothing is run; invalid commands are printed with their errors.
"""

import importlib
import json
import os
import pathlib
import sys
import tempfile

from absl import flags, logging

from experiments.cli.config_files import replace_config_name


def check(words):
    """Parses a command, and builds what it would train."""
    words = [word for word in words if word not in ("-h", "--help")]
    if words[0] == "experiments.benchmark" and len(words) > 1:
        from experiments.benchmark import add_benchmark_flags

        assert add_benchmark_flags(words[1:]) is not None, f"no benchmark {words[1]!r}"
    flags.FLAGS(words)
    config = flags.FLAGS["config"].value if "config" in flags.FLAGS else None
    if config is None:
        return
    from experiments.sweeps.trial import check_trials, make_trials, read_sweep
    from nar.runs.build import build_run
    from nar.training import Devices
    from nar.training.trackers import check_trackers

    training = config.to_dict()["training"]
    options = training["tracker_options"]
    other_trackers = [name for name in training["trackers"] if name not in ("wandb", "mlflow")]
    check_trackers(other_trackers, {name: value for name, value in options.items() if name in other_trackers})
    if "sweep" in flags.FLAGS:
        with tempfile.TemporaryDirectory() as folder:
            check_trials(
                make_trials(config, read_sweep(flags.FLAGS["sweep"].value), pathlib.Path(folder) / "sweep"),
                Devices.one(),
                check_sources=False,
            )
    else:
        build_run(config.to_dict(), Devices.one())


def main(script, path):
    """Checks each command in a fork, since absl parses flags only once per process."""
    commands = json.loads(pathlib.Path(path).read_text())
    # Defines the flags of the script.
    module = importlib.import_module(script)
    assert module
    failed = False
    for words in commands:
        child = os.fork()
        if child == 0:
            code = 0
            try:
                sys.argv = [script, *replace_config_name(words)]  # config flags look for their overrides here
                check(sys.argv)
            except BaseException as error:
                print(f"{script} {' '.join(words)}\n    {type(error).__name__}: {error}", flush=True)
                code = 1
            os._exit(code)
        failed |= os.waitpid(child, 0)[1] != 0
    sys.exit(failed)


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    logging.set_verbosity(logging.ERROR)
    main(*sys.argv[1:])
