"""What a folder of a run says before anything is done in it: whether it fits, and whether the run is over."""

from absl import logging

from experiments.cli.config_defaults import Config, complete
from nar.runs.workdir import Workdir
from nar.training import depends_on_length, read_json


def check_workdir(workdir: Workdir, config: Config) -> None:
    """Checks that a folder is, or may become, that of a run with this config; nothing is written.

    Raises:
      ValueError: if it belongs to another config, or holds something else.
    """
    training = config["training"]
    extendable = not depends_on_length(training["schedule"], training["schedule_options"])
    workdir.check(config, extendable=extendable, complete=complete)


def is_finished(workdir: Workdir, steps: int) -> bool:
    """Whether a run has its result, be it that it was stopped early."""
    if not workdir.result.exists():
        return False
    try:
        result = read_json(workdir.result)
    except (OSError, ValueError) as error:
        logging.warning("the result is made anew: %s", error)
        return False
    return result.get("steps", 0) >= steps or result.get("stopped_early", False)
