"""The viewer of traces inside a notebook, in a frame that is isolated from its page."""

import dataclasses
from collections.abc import Sequence

from nar.algorithms import Algorithm, find_algorithm
from nar.reports.escape import escape_html
from nar.reports.trace_viewer.page import Run, trace_page
from nar.specs import Spec
from nar.traces import Trace


@dataclasses.dataclass(frozen=True)
class TraceFrame:
    """A page that a notebook shows as the value of a cell.

    Attributes:
      page: HTML of the whole page.
      height: height of the frame, in pixels.
    """

    page: str
    height: int = 640

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape_html(self.page)}" sandbox="allow-scripts" title="trace viewer" '
            f'style="width: 100%; height: {self.height}px; border: 1px solid #8888"></iframe>'
        )


def show_trace(
    algorithm: str | Algorithm, runs: Trace | Sequence[Run], subtitle: str = "", *, spec: Spec | None = None
) -> TraceFrame:
    """Shows a trace step by step in a notebook.

    Args:
      algorithm: the algorithm, or its name.
      runs: its trace; or runs on the same instance, the ground truth first.
      subtitle: a line that describes the instance.
      spec: the spec of the runs, if it is not the algorithm's.
    """
    algorithm = find_algorithm(algorithm) if isinstance(algorithm, str) else algorithm
    drawn = [Run(algorithm.name, runs)] if isinstance(runs, Trace) else runs
    return TraceFrame(trace_page(algorithm, drawn, subtitle, spec=spec))
