"""A trace as text for the terminal: inputs, the hints of each step with changes marked, outputs."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from nar.kinds import KindTable
from nar.reports.trace_viewer.readable_values import differs, format_number, rank, read
from nar.reports.trace_viewer.text_layout import Layout, cut, flow
from nar.specs import MASKED, Kind, Location, Probe, Spec
from nar.traces import Trace

Readings = dict[str, np.ndarray]
"""Probe name -> readable value, see `readable_values`."""

_MAX_LINES = 3
"""Maximum number of lines of a list of changed entries."""


# ---------------------------------------------------------------------------------------------------
# Entries


def _categorical(value: float, node: int) -> str:
    del node
    return "–" if value == MASKED else str(int(value))


def _mask(value: float, node: int) -> str:
    del node
    return {0: "·", 1: "■", MASKED: "–"}.get(int(value), "?")


def _truth(value: float, node: int) -> str:
    del node
    return {0: "no", 1: "yes", MASKED: "–"}.get(int(value), "?")


def _arrow(value: float, node: int) -> str:
    if value == MASKED:
        return "–"
    return "↺" if value == node else f"→{int(value)}"


def _scalar(value: float, node: int) -> str:
    del node
    return format_number(value)


_POINTERS = (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION, Kind.PERMUTATION_POINTER)

FORMS = KindTable[Callable[[float, int], str]](
    "print",
    {
        **{(location, kind): _scalar for location in Location for kind in (Kind.SCALAR, Kind.VECTOR)},
        **{(location, Kind.CATEGORICAL): _categorical for location in Location},
        (Location.NODE, Kind.MASK): _mask,
        (Location.EDGE, Kind.MASK): _mask,
        (Location.GRAPH, Kind.MASK): _truth,
        **{(Location.NODE, kind): _arrow for kind in _POINTERS},
        (Location.NODE, Kind.MASK_ONE): _categorical,
        (Location.EDGE, Kind.MASK_ONE): _arrow,
        (Location.EDGE, Kind.POINTER): _categorical,
        (Location.GRAPH, Kind.POINTER): _categorical,
    },
)
"""Format of one entry: (value, its node or -1) -> text; a pointer of a node to itself is ↺."""

LEGEND = "■ in the mask, · not in it, – none, →j points at j, ↺ at itself"


def trace_text(spec: Spec, trace: Trace, layout: Layout | None = None) -> str:
    """Formats a run, step by step.

    Args:
      spec: spec of the trace.
      trace: the trace.
      layout: width and color; entries that do not fit are left out, changed ones last.

    Returns:
      Lines, without a trailing newline.
    """
    layout = layout or Layout()
    hints = {probe.name: read(probe, trace.hints[probe.name]) for probe in spec.per_step}
    lines = [layout.faint(cut(LEGEND, layout.width)), "", layout.title("inputs")]
    lines += block(spec.inputs, readings(spec.inputs, trace.inputs), {}, layout)
    before: Readings = {}
    for step in range(trace.length):
        now = {name: reading[step] for name, reading in hints.items()}
        count = sum(int(differs(before[name], now[name]).sum()) for name in before)
        note = f" · {count} changed" if before else ""
        lines += ["", layout.title(f"step {step} of 0…{trace.length - 1}") + layout.faint(note)]
        lines += block(spec.per_step, now, before, layout)
        before = now
    lines += ["", layout.title("outputs")]
    lines += block(spec.outputs, readings(spec.outputs, trace.outputs), {}, layout)
    return "\n".join(line.rstrip() for line in lines)


def readings(probes: Iterable[Probe], values: Mapping[str, np.ndarray]) -> Readings:
    """Readable values of the probes, by name."""
    return {probe.name: read(probe, values[probe.name]) for probe in probes}


def block(probes: Sequence[Probe], now: Readings, before: Readings, layout: Layout) -> list[str]:
    """Formats probes: single values in one line, node probes as a table, edge probes one after another."""
    by_rank = [[probe for probe in probes if rank(probe) == axes] for axes in range(3)]
    lines = _single_values(by_rank[0], now, before, layout) if by_rank[0] else []
    lines += _node_table(by_rank[1], now, before, layout) if by_rank[1] else []
    for probe in by_rank[2]:
        reading, old = now[probe.name], before.get(probe.name)
        if old is None:
            lines += _matrix(probe, reading, layout)
        else:
            lines += _changed_entries(probe, reading, old, layout)
    return lines


def _changed(name: str, now: Readings, before: Readings) -> np.ndarray:
    return differs(before[name], now[name]) if name in before else np.zeros(now[name].shape, bool)


def _single_values(probes: list[Probe], now: Readings, before: Readings, layout: Layout) -> list[str]:
    items = []
    for probe in probes:
        text = f"{probe.name} = {FORMS[probe.location, probe.kind](now[probe.name].item(), -1)}"
        changed = bool(_changed(probe.name, now, before))
        items.append((len(text) + 1, layout.changed(text) if changed else layout.same(text)))
    return flow(items, "  ", layout.width, len(items))


def _node_table(probes: list[Probe], now: Readings, before: Readings, layout: Layout) -> list[str]:
    """Formats a table with a column per node; if not all fit, changed nodes come first, then the lowest."""
    cells = {p.name: [FORMS[p.location, p.kind](x, i) for i, x in enumerate(now[p.name])] for p in probes}
    changed = {p.name: _changed(p.name, now, before) for p in probes}
    num_nodes = len(next(iter(changed.values())))
    label = max(4, *(len(name) for name in cells))
    wide = max(least_width(num_nodes, probes), *(len(text) for row in cells.values() for text in row)) + 2
    rest = f" … of {num_nodes}"
    available = layout.width - label - 4
    fits = num_nodes * wide <= available
    num_columns = num_nodes if fits else max(1, (available - len(rest)) // wide)
    columns = choose(np.any(list(changed.values()), axis=0), num_columns)
    header = "".join(f"{column:>{wide - 1}} " for column in columns)
    lines = [layout.faint(cut(f"  {'node':{label}}{header.rstrip()}{'' if fits else rest}", layout.width))]
    for name, row in cells.items():
        texts = [_cell(row[i], bool(changed[name][i]), wide, layout) for i in columns]
        lines.append(layout.name(name, bool(changed[name].any()), label) + "".join(texts))
    return lines


def least_width(num_nodes: int, probes: list[Probe]) -> int:
    """Column width that fits nearly all entries, so that columns stay in place from step to step."""
    return 5 if any(p.kind.is_number for p in probes) else 1 + len(str(num_nodes - 1))


def _cell(text: str, changed: bool, wide: int, layout: Layout) -> str:
    padding = " " * (wide - 1 - len(text))
    after = " " if layout.color else ""
    return padding + (layout.changed(text) if changed else layout.same(text)) + after


def choose(preferred: np.ndarray, count: int) -> list[int]:
    """Chooses at most `count` indices, the preferred ones first, then the lowest; returns them sorted."""
    order = np.argsort(~preferred, kind="stable")
    return sorted(order[:count].tolist())


def _matrix(probe: Probe, reading: np.ndarray, layout: Layout) -> list[str]:
    """Formats the matrix of an edge probe, or its upper left corner if it is too wide."""
    form = FORMS[probe.location, probe.kind]
    cells = [[form(x, -1) for x in row] for row in reading]
    wide = max(len(str(len(cells) - 1)), *(len(text) for row in cells for text in row)) + 1
    shown = min(len(cells), max(1, (layout.width - 8) // wide))
    corner = f" ({shown} × {shown} of {len(cells)} × {len(cells)})" if shown < len(cells) else ""
    lines = [f"  {probe.name}{layout.faint(corner)}"]
    lines.append(layout.faint("      " + "".join(f"{j:>{wide}}" for j in range(shown))))
    for i, row in enumerate(cells[:shown]):
        lines.append(layout.faint(f"  {i:>4}") + "".join(f"{text:>{wide}}" for text in row[:shown]))
    return lines


def _changed_entries(probe: Probe, now: np.ndarray, old: np.ndarray, layout: Layout) -> list[str]:
    form = FORMS[probe.location, probe.kind]
    places = np.argwhere(differs(old, now)).tolist()
    if not places:
        return [f"  {probe.name}  {layout.faint('no change')}"]
    texts = [f"({i},{j}) {form(old[i, j], -1)} → {form(now[i, j], -1)}" for i, j in places]
    items = [(len(text) + 1, layout.changed(text)) for text in texts]
    return [layout.name(probe.name, True, 0), *flow(items, "      ", layout.width, _MAX_LINES)]
