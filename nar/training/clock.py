"""The time that a run has taken, over all its sessions."""

import time
from typing import Any


class Clock:
    """Seconds of a run over all its sessions."""

    def __init__(self, before: float = 0.0) -> None:
        """Starts now, with so many seconds behind it."""
        self._start = time.perf_counter() - before

    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self._start

    def notes(self) -> dict[str, Any]:
        """To be saved with a checkpoint."""
        return {"seconds": self.seconds()}
