"""Trackers that may fail without harm to the training."""

import contextlib
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import logging

from nar.training.trackers.base import OpenTracker, Session, Tracker


class FaultTolerantTracker:
    """A tracker whose first failure is a warning, and which is left out of the session from then on.

    Training goes on, and `metrics.jsonl` has all that the tracker misses. The next session opens it anew.
    """

    def __init__(self, name: str, open_tracker: OpenTracker, session: Session) -> None:
        """Opens it.

        Raises:
          ValueError: if that fails for what the user got wrong.
        """
        self._name = name
        self._tracker: Tracker | None = None
        try:
            self._tracker = open_tracker(session)
        except (TypeError, ValueError) as error:
            raise ValueError(f"tracker {name!r} cannot be opened: {error}") from error
        except Exception as error:
            self._warn(error)

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Adds values, if it works."""
        self._try(lambda tracker: tracker.add(step, values, seconds))

    def finish(self, result: Mapping[str, Any], files: Sequence[pathlib.Path]) -> None:
        """Adds the result, if it works."""
        self._try(lambda tracker: tracker.finish(result, files))

    def close(self) -> None:
        """Closes it, if it works."""
        self._try(lambda tracker: tracker.close())

    def _try(self, call: Callable[[Tracker], None]) -> None:
        if self._tracker is None:
            return
        try:
            call(self._tracker)
        except Exception as error:
            failed, self._tracker = self._tracker, None
            self._warn(error)
            with contextlib.suppress(Exception):
                failed.close()

    def _warn(self, error: Exception) -> None:
        words = " ".join(f"{type(error).__name__}: {error}".split())
        logging.warning("tracker %r has failed, and training goes on without it: %s", self._name, words)
