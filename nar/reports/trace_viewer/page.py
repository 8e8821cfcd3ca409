"""A trace as one page that needs nothing else: drawn, step by step, in any browser and without a network.

The page is `assets/page.html` with the style, the scripts and the runs as JSON put into it. It takes a list
of runs on one instance: each is drawn, and what differs from the first (the truth) is marked.
"""

import dataclasses
import html
import importlib.resources
import json
import math
import os
import pathlib
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from nar.algorithms import Algorithm
from nar.reports.trace_viewer.compare import compare_traces
from nar.reports.trace_viewer.drawing_plan import PARTS, POSITION, colors, draw_plan
from nar.reports.trace_viewer.readable_values import rank, read
from nar.specs import Probe, Spec, Stage
from nar.traces import Trace

_SCRIPTS = ("values.js", "places.js", "nodes.js", "matrices.js", "panels.js", "steps.js")


@dataclasses.dataclass(frozen=True)
class Run:
    """One run to be drawn.

    Attributes:
      label: who ran: the algorithm, a network.
      trace: what was shown; a network that decodes no hints has none.
      steps: how many steps of hints it took; by default those of the trace.
    """

    label: str
    trace: Trace
    steps: int | None = None


def trace_page(
    algorithm: Algorithm, runs: Sequence[Run], facts: str = "", *, spec: Spec | None = None
) -> str:
    """The page.

    Args:
      algorithm: what ran.
      runs: on one instance; the first is the truth, what differs from it in the others is marked.
      facts: a line on where the instance comes from.
      spec: of the runs, if it is not the algorithm's own (after transforms).

    Returns:
      HTML.
    """
    content = page_content(algorithm, runs, facts, spec=spec)
    # No "</script>" can end the JSON early.
    payload = json.dumps(content, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    page = asset("page.html").replace("{{title}}", html.escape(algorithm.name))
    page = page.replace("{{style}}", asset("palette.css") + asset("page.css"))
    page = page.replace("{{scripts}}", "\n".join(asset(name) for name in _SCRIPTS))
    return page.replace("{{payload}}", payload)


def page_content(
    algorithm: Algorithm, runs: Sequence[Run], facts: str = "", *, spec: Spec | None = None
) -> dict[str, Any]:
    """What the page is told: the arguments of `trace_page` as plain lists, every probe as it is read."""
    spec = spec or algorithm.spec
    plan = draw_plan(algorithm.name, spec, runs[0].trace)
    fixed = {name for hint in algorithm.fixed_hints for name in (hint, hint.removesuffix("_h"))}
    quiet = {POSITION, *plan["used"], *(fixed - {probe.name for probe in spec.outputs})}
    return {
        "title": algorithm.name,
        "family": algorithm.family.replace("_", " "),
        "source": algorithm.source,
        "facts": facts,
        "plan": plan,
        "probes": _probes(spec, quiet),
        "runs": [_run(spec, runs[0], None), *(_run(spec, run, runs[0]) for run in runs[1:])],
    }


def _probes(spec: Spec, quiet: Collection[str]) -> list[dict[str, Any]]:
    numbers = colors(spec)
    return [
        {
            "name": probe.name,
            "stage": probe.stage.value,
            "location": probe.location.value,
            "kind": probe.kind.value,
            "classes": probe.num_classes,
            "part": PARTS[probe.location, probe.kind],
            "rank": rank(probe),
            "color": numbers[probe.name],
            "quiet": probe.name in quiet,
        }
        for probe in spec.values()
    ]


def _run(spec: Spec, run: Run, truth: Run | None) -> dict[str, Any]:
    """Its values and, of others than the truth, what is wrong and how much is right of each probe."""
    trace = run.trace
    found = {} if truth is None else compare_traces(spec, truth.trace, trace)
    values = {**trace.inputs, **trace.hints, **trace.outputs}
    return {
        "label": run.label,
        "steps": run.steps or trace.length,
        "values": {name: _plain(probe, values[name]) for name, probe in spec.items() if name in values},
        "wrong": {name: _places(spec[name], one.wrong) for name, one in found.items()},
        "right": {name: one.right.tolist() for name, one in found.items()},
        "total": {name: one.total.tolist() for name, one in found.items()},
    }


def _places(probe: Probe, wrong: np.ndarray) -> list[Any]:
    """Where entries are wrong, as "i,j"; of a hint a list for each step."""
    if probe.stage is Stage.HINT:
        return [[",".join(map(str, place)) for place in np.argwhere(step).tolist()] for step in wrong]
    return [",".join(map(str, place)) for place in np.argwhere(wrong).tolist()]


def _plain(probe: Probe, value: Any) -> Any:
    """Nested lists of numbers; what is not finite becomes text."""

    def plain(item: Any) -> Any:
        if isinstance(item, list):
            return [plain(part) for part in item]
        return item if math.isfinite(item) else str(item)

    return plain(read(probe, value).tolist())


def asset(name: str) -> str:
    """A file of the folder `page`."""
    return importlib.resources.files("nar.reports").joinpath("assets", name).read_text(encoding="utf-8")


def write_page(path: pathlib.Path, page: str) -> None:
    """Writes a page under a temporary name and renames it.

    Raises:
      OSError: if it cannot be written; its message names the path.
    """
    if not path.name:
        raise OSError(f"cannot write {path}: it is no file")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(page, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(f"cannot write {path}: {error.strerror}") from None
