"""The layout of a drawn trace: node positions, lines between nodes, the glyph and color of each probe.

Everything follows from the spec, via tables by location and kind, so that new algorithms are drawn
automatically.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nar.kinds import CLRS30_KINDS, KindTable
from nar.reports.trace_viewer.readable_values import read
from nar.specs import Kind, Location, Probe, Spec
from nar.traces import Trace

GLYPHS = KindTable[str](
    "glyph",
    {
        (Location.NODE, Kind.SCALAR): "number",
        (Location.NODE, Kind.VECTOR): "number",
        (Location.EDGE, Kind.VECTOR): "matrix",
        (Location.GRAPH, Kind.VECTOR): "value",
        (Location.NODE, Kind.CATEGORICAL): "fill",
        (Location.NODE, Kind.MASK): "fill",
        (Location.NODE, Kind.MASK_ONE): "ring",
        (Location.NODE, Kind.POINTER): "arrow",
        (Location.NODE, Kind.SHOULD_BE_PERMUTATION): "arrow",
        (Location.NODE, Kind.PERMUTATION_POINTER): "arrow",
        **{(Location.EDGE, kind): "matrix" for kind in (Kind.SCALAR, Kind.CATEGORICAL, Kind.MASK)},
        **{(Location.EDGE, kind): "matrix" for kind in (Kind.MASK_ONE, Kind.POINTER)},
        **{
            (Location.GRAPH, kind): "value"
            for kind in (Kind.SCALAR, Kind.CATEGORICAL, Kind.MASK, Kind.POINTER)
        },
    },
)
"""Visual element of each probe: a number next to its node, the node's fill, a labeled ring, an arrow, a
separate matrix, or a value of the whole run."""

PAGES = KindTable[str]("page", {**{kind: kind.name for kind in CLRS30_KINDS}, Kind.VECTOR: Kind.SCALAR.name})
"""Name under which the scripts of a page know a kind: that of the built-in kind whose numbers look alike."""

_LINES: Mapping[str, tuple[tuple[int, int], ...]] = {"segments_intersect": ((0, 1), (2, 3))}
"""Lines that do not follow from a probe, by algorithm."""

POSITION = "pos"
"""The input that numbers the nodes, which is shown by their positions."""


def draw_plan(algorithm: str, spec: Spec, trace: Trace) -> dict[str, Any]:
    """Plans node positions and the lines between nodes.

    Args:
      algorithm: name of the algorithm.
      spec: spec of the trace.
      trace: the trace; only its inputs are read.

    Returns:
      `shape`: "circle", "plane", "row" or "rows"; `label`: the input shown inside the nodes, or None; `used`:
      inputs shown by the layout itself; `lines`: a list of [i, j, weight or ""]; `directed`: whether lines
      have arrowheads; `row`: the row of each node; `x`, `y`: coordinates, or [].
    """
    inputs = {probe.name: probe for probe in spec.inputs}
    edges = [probe for probe in spec.inputs if GLYPHS[probe.location, probe.kind] == "matrix"]
    fixed = [[i, j, ""] for i, j in _LINES.get(algorithm, ())]
    plan = {"label": None, "lines": fixed, "directed": False, "row": [], "x": [], "y": []}
    if edges:
        return plan | {"shape": "circle", "used": []} | _lines(edges, trace)
    if all(_is(inputs.get(name), Location.NODE, Kind.SCALAR) for name in ("x", "y")):
        x, y = (trace.inputs[name].tolist() for name in ("x", "y"))
        return plan | {"shape": "plane", "used": ["x", "y"], "x": x, "y": y}
    return plan | _cells(spec, trace)


def _is(probe: Probe | None, location: Location, *kinds: Kind) -> bool:
    return probe is not None and probe.location is location and probe.kind.root in kinds


def _lines(edges: list[Probe], trace: Trace) -> dict[str, Any]:
    """Lines where an edge mask is set, or else where the first edge input is nonzero, labeled by weight."""
    mask = next((probe for probe in edges if probe.kind.root is Kind.MASK), edges[0])
    present = read(mask, trace.inputs[mask.name]) > 0
    if present.ndim == 1:
        present = present[:, None] == np.arange(len(present))
    weights = next(
        (trace.inputs[p.name] for p in edges if p.kind.root is Kind.SCALAR), np.ones(present.shape)
    )
    weighted = len(np.unique(weights[present & ~np.eye(len(present), dtype=bool)])) > 1
    directed = not (np.array_equal(present, present.T) and np.array_equal(weights, weights.T))
    pairs = np.argwhere(present if directed else np.triu(present)).tolist()
    lines = [[i, j, float(weights[i, j]) if weighted else ""] for i, j in pairs if i != j]
    return {"lines": lines, "directed": directed}


def _cells(spec: Spec, trace: Trace) -> dict[str, Any]:
    """One row of cells, or one per value of an input mask, labeled with the first other input."""
    mask = next((p for p in spec.inputs if _is(p, Location.NODE, Kind.MASK)), None)
    label = next(
        (
            probe.name
            for probe in spec.inputs
            if _is(probe, Location.NODE, Kind.SCALAR, Kind.CATEGORICAL) and probe.name != POSITION
        ),
        None,
    )
    used = [name for name in (label, mask.name if mask else None) if name]
    row = trace.inputs[mask.name].tolist() if mask else []
    return {"shape": "rows" if mask else "row", "label": label, "used": used, "row": row}


def colors(spec: Spec) -> dict[str, int]:
    """Color index of each probe; a hint `x_h` shares the color of the output `x` that it leads to."""
    names = [probe.name for probe in (*spec.per_step, *spec.outputs, *spec.inputs)]
    numbers: dict[str, int] = {}
    for name in names:
        numbers[name] = numbers.get(f"{name}_h", len(set(numbers.values())))
    return numbers
