"""A trace as one self-contained HTML page, drawn step by step in any browser, offline.

The page is `assets/page.html` with the styles, the scripts and the runs (as JSON) inlined. All runs are on
the same instance; entries that differ from the first run (the ground truth) are marked.
"""

import dataclasses
import importlib.resources
import json
import math
import pathlib
import re
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from nar.algorithms import Algorithm
from nar.atomic_io import write_text
from nar.reports.escape import escape_html
from nar.reports.trace_viewer.compare import compare_traces
from nar.reports.trace_viewer.drawing_plan import GLYPHS, PAGES, POSITION, colors, draw_plan
from nar.reports.trace_viewer.readable_values import rank, read
from nar.specs import Probe, Spec
from nar.traces import Trace

_SCRIPTS = ("values.js", "places.js", "nodes.js", "matrices.js", "panels.js", "steps.js")


@dataclasses.dataclass(frozen=True)
class Run:
    """A run to be drawn.

    Attributes:
      label: name of the algorithm or network.
      trace: the run's trace, without hints if the network does not decode them.
      steps: number of hint steps; by default the length of the trace.
    """

    label: str
    trace: Trace
    steps: int | None = None


def trace_page(
    algorithm: Algorithm, runs: Sequence[Run], subtitle: str = "", *, spec: Spec | None = None
) -> str:
    """Renders the page.

    Args:
      algorithm: the algorithm.
      runs: runs on the same instance; the first is the ground truth, differences from it are marked.
      subtitle: a line that describes the instance.
      spec: the spec of the runs, if it is not the algorithm's own (after transforms).

    Returns:
      HTML.
    """
    content = page_content(algorithm, runs, subtitle, spec=spec)
    # Escaped so that no "</script>" in a string ends the JSON early.
    return fill_template(
        "page.html",
        title=escape_html(algorithm.name),
        style=asset("palette.css") + asset("page.css"),
        scripts="\n".join(asset(name) for name in _SCRIPTS),
        payload=json.dumps(content, allow_nan=False).replace("<", "\\u003c"),
    )


def page_content(
    algorithm: Algorithm, runs: Sequence[Run], subtitle: str = "", *, spec: Spec | None = None
) -> dict[str, Any]:
    """Builds the page's JSON payload: the arguments of `trace_page` as plain lists, with readable values."""
    spec = spec or algorithm.spec
    plan = draw_plan(algorithm.name, spec, runs[0].trace)
    fixed = {name for hint in algorithm.fixed_hints for name in (hint, hint.removesuffix("_h"))}
    hidden = {POSITION, *plan["used"], *(fixed - {probe.name for probe in spec.outputs})}
    return {
        "title": algorithm.name,
        "family": algorithm.family.replace("_", " "),
        "source": algorithm.source,
        "subtitle": subtitle,
        "plan": plan,
        "probes": _probes(spec, hidden),
        "runs": [_run(spec, runs[0], None), *(_run(spec, run, runs[0]) for run in runs[1:])],
    }


def _probes(spec: Spec, hidden: Collection[str]) -> list[dict[str, Any]]:
    numbers = colors(spec)
    return [
        {
            "name": probe.name,
            "stage": probe.stage.value,
            "perStep": probe.stage.is_per_step,
            "location": probe.location.value,
            "kind": probe.kind.name,
            "look": PAGES[probe.kind],
            "classes": probe.num_classes,
            "glyph": GLYPHS[probe.location, probe.kind],
            "rank": rank(probe),
            "color": numbers[probe.name],
            "hidden": probe.name in hidden,
        }
        for probe in spec.values()
    ]


def _run(spec: Spec, run: Run, truth: Run | None) -> dict[str, Any]:
    """Values of a run and, if it is not the truth itself, each probe's wrong entries and counts."""
    trace = run.trace
    comparisons = {} if truth is None else compare_traces(spec, truth.trace, trace)
    values = {**trace.inputs, **trace.hints, **trace.outputs}
    return {
        "label": run.label,
        "steps": run.steps or trace.length,
        "values": {name: _plain(probe, values[name]) for name, probe in spec.items() if name in values},
        "wrong": {name: _wrong_indices(spec[name], one.wrong) for name, one in comparisons.items()},
        "right": {name: one.right.tolist() for name, one in comparisons.items()},
        "total": {name: one.total.tolist() for name, one in comparisons.items()},
    }


def _wrong_indices(probe: Probe, wrong: np.ndarray) -> list[Any]:
    """Indices of the wrong entries, as "i,j"; for a hint or an answer, a list per step."""
    if probe.stage.is_per_step:
        return [[",".join(map(str, index)) for index in np.argwhere(step).tolist()] for step in wrong]
    return [",".join(map(str, index)) for index in np.argwhere(wrong).tolist()]


def _plain(probe: Probe, value: Any) -> Any:
    """Readable values as nested lists of numbers; non-finite numbers become strings."""

    def plain(item: Any) -> Any:
        if isinstance(item, list):
            return [plain(child) for child in item]
        return item if math.isfinite(item) else str(item)

    return plain(read(probe, value).tolist())


def asset(name: str) -> str:
    """Reads a file of `nar/reports/assets`."""
    return importlib.resources.files("nar.reports").joinpath("assets", name).read_text(encoding="utf-8")


def fill_template(name: str, **parts: str) -> str:
    """Replaces each `{{part}}` in a file of `nar/reports/assets`, once: parts may contain such text."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], asset(name))


def write_page(path: pathlib.Path, page: str) -> None:
    """Writes a page atomically.

    Raises:
      OSError: if it cannot be written; the message names the path.
    """
    if not path.name:
        raise OSError(f"cannot write {path}: it is not a file")
    try:
        write_text(path, page)
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror}") from None
