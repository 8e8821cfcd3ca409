"""Recorded steps: the last and the best one of a run, as `result.json` has them."""

import logging
from collections.abc import Sequence
from typing import Any

from nar.runs.files import read_result
from nar.runs.workdir import Workdir

_logger = logging.getLogger(__name__)


def best_step_of(workdir: Workdir, saved: Sequence[int], seed_index: int) -> int | None:
    """Step of the best checkpoint according to `result.json`.

    Args:
      workdir: the run.
      saved: steps of its checkpoints.
      seed_index: index of the seed, if the run trains several.

    Returns:
      None if the run has no result, or was continued since then.
    """
    result = _read_result(workdir)
    if result is None or any(step > result["steps"] for step in saved):
        return None
    best = result["best_step"]
    return best[seed_index] if isinstance(best, list) else best


def last_step_of(workdir: Workdir, saved: Sequence[int]) -> int:
    """The last step of a run according to its checkpoints and its result."""
    result = _read_result(workdir)
    return max([*saved, result["steps"] if result else 0])


def _read_result(workdir: Workdir) -> dict[str, Any] | None:
    """The result, if there is one that can be read and that names its best step."""
    try:
        result = read_result(workdir.result)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _logger.warning("the result is not used: %s", error)
        return None
    return result if "best_step" in result else None
