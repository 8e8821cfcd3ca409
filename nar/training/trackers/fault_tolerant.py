"""Wrapper of trackers that keeps their failures from ending the training."""

import contextlib
import logging
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nar.ownership import LostFolderError, check_owned
from nar.redaction import hide_in_message
from nar.training.trackers.base import OpenTracker, Session, Tracker

_logger = logging.getLogger(__name__)

_METHODS = ("add", "finish", "close")


def _checked(tracker: Any) -> Tracker:
    """Returns a tracker; raises TypeError if it lacks one of the methods."""
    missing = [name for name in _METHODS if not callable(getattr(tracker, name, None))]
    if missing:
        raise TypeError(f"a tracker must have {', '.join(_METHODS)}; {tracker!r} has no method {missing[0]}")
    return tracker


class FaultTolerantTracker:
    """A tracker that is disabled for the rest of the session, with a warning, when it fails.

    Training continues, and `metrics.jsonl` has everything that the tracker misses. The next session opens it
    again.
    """

    def __init__(self, name: str, open_tracker: OpenTracker, session: Session) -> None:
        """Opens the tracker.

        Args:
          name: its name, for messages.
          open_tracker: opens it.
          session: session of the run.

        Raises:
          ValueError: if opening fails by an error of the user's.
        """
        self._name, self._folder, self._options = name, session.workdir, session.options
        self._tracker: Tracker | None = None
        try:
            self._tracker = _checked(open_tracker(session))
        except (TypeError, ValueError) as error:
            message = hide_in_message(str(error), self._options)
            raise ValueError(f"tracker {name!r} cannot be opened: {message}") from error
        except Exception as error:
            self._warn(error)

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Logs metrics, unless the tracker has failed."""
        check_owned(self._folder)
        self._try(lambda tracker: tracker.add(step, values, seconds))

    def finish(self, result: Mapping[str, Any], files: Sequence[pathlib.Path]) -> None:
        """Logs the result, unless the tracker has failed."""
        check_owned(self._folder)
        self._try(lambda tracker: tracker.finish(result, files))

    def close(self) -> None:
        """Closes the tracker, unless it has failed or the workdir is lost, to which it may write."""
        with contextlib.suppress(LostFolderError):
            check_owned(self._folder)
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
        message = hide_in_message(" ".join(f"{type(error).__name__}: {error}".split()), self._options)
        _logger.warning("tracker %r failed, and training continues without it: %s", self._name, message)
