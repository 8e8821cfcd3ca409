"""Status of a workdir: whether a config fits it, and whether its run is finished."""

import logging

from nar.atomic_io import read_json
from nar.runs.build_model import Config
from nar.runs.workdir import Workdir
from nar.training.optim import depends_on_length

_logger = logging.getLogger(__name__)


def check_workdir(workdir: Workdir, config: Config) -> None:
    """Checks that a run with this config may use the workdir; nothing is written.

    Raises:
      ValueError: if it belongs to a run with another config, or contains other files.
    """
    training = config["training"]
    extendable = not depends_on_length(training["schedule"], training["schedule_options"])
    workdir.check(config, extendable=extendable)


def is_finished(workdir: Workdir, steps: int) -> bool:
    """Returns True if the run has the result of `steps` steps, or was stopped early."""
    if not workdir.result.exists():
        return False
    try:
        result = read_json(workdir.result)
    except (OSError, ValueError) as error:
        _logger.warning("the result is recomputed: %s", error)
        return False
    return result.get("steps", 0) >= steps or result.get("stopped_early", False)
