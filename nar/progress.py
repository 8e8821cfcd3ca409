"""Progress of long computations: a bar in a terminal, and lines of text in files and pipes."""

import math
import sys
from typing import Any

from tqdm import tqdm

SECONDS_PER_LINE = 60.0
"""Seconds between lines, unless they are written by `refresh`."""

_LINE = "{desc}: {n_fmt}/{total_fmt}, {elapsed} elapsed, {remaining} left, {rate_fmt}{postfix}"
_MIN_SECONDS = 1.0
"""Seconds after which the rate is measured."""


def is_terminal(file: Any) -> bool:
    """True if a stream is a terminal, in which a bar can be drawn over itself."""
    return bool(getattr(file, "isatty", lambda: False)())


class ProgressBar(tqdm):
    """A `tqdm` bar on standard error; where that is no terminal, a line of text per minute.

    Attributes:
      excluded_seconds: seconds, such as those of compilation, from which nothing follows about the rate and
        the time left.
    """

    monitor_interval = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        """Opens the bar.

        Args:
          *args: as for `tqdm`.
          **options: as for `tqdm`; mininterval is also the number of seconds between lines, if it is more
            than that of bars.
        """
        self.excluded_seconds = 0.0
        self.is_bar = is_terminal(sys.stderr)
        if not self.is_bar:
            seconds = options.get("mininterval", 0)
            options |= {
                "bar_format": _LINE,
                "mininterval": seconds if seconds > SECONDS_PER_LINE else SECONDS_PER_LINE,
                "maxinterval": math.inf,
                "delay": 1e-9,  # no line before the first step
            }
        super().__init__(*args, dynamic_ncols=self.is_bar, **options)

    @property
    def format_dict(self) -> Any:
        """Values that can be displayed; the rate is the mean of this session, without excluded time."""
        values = super().format_dict
        seconds = values["elapsed"] - self.excluded_seconds
        steps = values["n"] - values["initial"]
        rate = steps / seconds if steps > 0 and seconds >= _MIN_SECONDS else 0.0  # of which tqdm makes "?"
        return {**values, "rate": rate, "prefix": values["prefix"].removesuffix(": ")}

    @staticmethod
    def status_printer(file: Any) -> Any:
        """Function that displays a text: over the previous one, or as a line."""
        if is_terminal(file):
            return tqdm.status_printer(file)

        def print_line(text: str) -> None:
            if text.strip():
                file.write(text.strip() + "\n")
                file.flush()

        return print_line

    def moveto(self, n: int) -> None:
        """Moves the cursor to the bar; lines need no such move."""
        if self.is_bar:
            super().moveto(n)

    def close(self) -> None:
        """Closes the bar; the last line is written if `leave` is set."""
        if not self.is_bar and not self.disable:
            if self.leave:
                self.refresh()
            self.delay = math.inf  # nothing has to be cleared
        super().close()

    @classmethod
    def write(cls, s: str, file: Any = None, end: str = "\n", nolock: bool = False) -> None:
        """Prints a text above the bars."""
        file = file or sys.stdout
        if is_terminal(sys.stderr):
            tqdm.write(s, file, end, nolock)
        else:
            print(s, file=file, end=end, flush=True)
