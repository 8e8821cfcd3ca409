"""A network's run beside the algorithm's as text for the terminal: what it predicts, with errors marked."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from nar.reports.trace_viewer.compare import TOLERANCE, ProbeComparison, compare_traces, totals
from nar.reports.trace_viewer.readable_values import rank, read
from nar.reports.trace_viewer.text_layout import WRONG, Layout, cut, flow
from nar.reports.trace_viewer.trace_text import FORMS, LEGEND, Readings, block, choose, least_width, readings
from nar.specs import Probe, Spec
from nar.traces import Trace

_MOST_LINES = 4
_MINE = "predicted"


@dataclasses.dataclass(frozen=True)
class _Step:
    """Readings of both runs at a step, and where the network's are wrong."""

    truth: Readings
    mine: Readings
    wrong: Readings


def diff_text(spec: Spec, truth: Trace, other: Trace, steps: int, layout: Layout | None = None) -> str:
    """Both runs, step by step.

    Args:
      spec: of both; hints that the network does not predict are shown as the algorithm has them.
      truth: the algorithm's run.
      other: the network's: its first hints are given.
      steps: how many steps of hints the network's run has, the first one included.
      layout: width and color.

    Returns:
      Lines without an end of line.
    """
    layout = layout or Layout()
    found = compare_traces(spec, truth, other)
    legend = f"{LEGEND}, {WRONG} wrong (numbers: further off than {TOLERANCE:.0%})"
    lines = [layout.faint(cut(legend, layout.width)), "", layout.title("inputs")]
    lines += block(spec.inputs, readings(spec.inputs, truth.inputs), {}, layout)
    for step in range(max(truth.length, steps)):
        lines += [
            "",
            _title(spec, truth, steps, found, step, layout),
            *_step(spec, truth, other, found, step, layout),
        ]
    right, total = totals(found, spec.outputs, None)
    lines += ["", layout.title("outputs") + layout.faint(f" · {right} of {total} entries right")]
    lines += _pair(spec.outputs, _outputs(spec, truth, other, found), layout)
    return "\n".join(
        line.rstrip() for line in [*lines, *_summary(spec, min(truth.length, steps), found, layout)]
    )


def _title(
    spec: Spec, truth: Trace, steps: int, found: dict[str, ProbeComparison], step: int, layout: Layout
) -> str:
    title = layout.title(f"step {step} of 0…{max(truth.length, steps) - 1}")
    if step == 0:
        return title + layout.faint(" · given to the network")
    if step >= truth.length:
        return title + layout.faint(" · the algorithm has ended, the network goes on")
    if step >= steps:
        return title + layout.faint(" · the network has ended, the algorithm goes on")
    right, total = totals(found, spec.hints, step)
    return title + layout.faint(
        f" · {right} of {total} entries right" if total else " · no hint is predicted"
    )


def _step(
    spec: Spec, truth: Trace, other: Trace, found: dict[str, ProbeComparison], step: int, layout: Layout
) -> list[str]:
    """Hints of both runs at a step, or of the one that has it."""
    true, mine = (_hints(spec, run, step) for run in (truth, other))
    both = [probe for probe in spec.hints if probe.name in true and probe.name in mine and step > 0]
    names = {probe.name for probe in both}
    wrong = {name: found[name].wrong[step] for name in names}
    rest = [probe for probe in spec.hints if probe.name not in names and probe.name in (true or mine)]
    return [*_pair(both, _Step(true, mine, wrong), layout), *block(rest, true or mine, {}, layout)]


def _hints(spec: Spec, run: Trace, step: int) -> Readings:
    return {
        probe.name: read(probe, run.hints[probe.name][step])
        for probe in spec.hints
        if probe.name in run.hints and step < len(run.hints[probe.name])
    }


def _outputs(spec: Spec, truth: Trace, other: Trace, found: dict[str, ProbeComparison]) -> _Step:
    true, mine = (readings(spec.outputs, run.outputs) for run in (truth, other))
    return _Step(true, mine, {probe.name: found[probe.name].wrong for probe in spec.outputs})


def _pair(probes: Sequence[Probe], step: _Step, layout: Layout) -> list[str]:
    """Single values in a line, node probes as a table, of edge probes what is wrong."""
    by_rank = [[probe for probe in probes if rank(probe) == axes] for axes in range(3)]
    lines = _singles(by_rank[0], step, layout) if by_rank[0] else []
    lines += _table(by_rank[1], step, layout) if by_rank[1] else []
    return lines + [line for probe in by_rank[2] for line in _wrong_entries(probe, step, layout)]


def _singles(probes: Sequence[Probe], step: _Step, layout: Layout) -> list[str]:
    items = []
    for probe in probes:
        form = FORMS[probe.location, probe.kind]
        true, mine = (form(values[probe.name].item(), -1) for values in (step.truth, step.mine))
        is_wrong = bool(step.wrong[probe.name])
        text = f"{probe.name} = {true}, {_MINE} "
        items.append((len(text) + len(mine) + 1, text + layout.judged(mine, is_wrong)))
    return flow(items, "  ", layout.width, len(items))


def _table(probes: Sequence[Probe], step: _Step, layout: Layout) -> list[str]:
    """Two lines for each probe; a column for each node, if not all fit first those with an error."""
    rows = {
        p.name: [
            [FORMS[p.location, p.kind](value, i) for i, value in enumerate(values[p.name])]
            for values in (step.truth, step.mine)
        ]
        for p in probes
    }
    num_nodes = len(step.truth[probes[0].name])
    label = max(len(_MINE) + 2, *map(len, rows))
    longest = max(len(text) for pair in rows.values() for row in pair for text in row)
    wide = max(least_width(num_nodes, list(probes)), longest) + 2
    rest = f" … of {num_nodes}"
    room = layout.width - label - 4
    fits = num_nodes * wide <= room
    any_wrong = np.any([step.wrong[probe.name] for probe in probes], axis=0)
    columns = choose(any_wrong, num_nodes if fits else max(1, (room - len(rest)) // wide))
    header = "".join(f"{column:>{wide - 1}} " for column in columns)
    lines = [layout.faint(cut(f"  {'node':{label}}{header.rstrip()}{'' if fits else rest}", layout.width))]
    for name, (true, mine) in rows.items():
        lines.append(f"  {name:{label}}" + "".join(f"{true[i]:>{wide - 1}} " for i in columns))
        cells = (
            " " * (wide - 1 - len(mine[i])) + layout.judged(mine[i], bool(step.wrong[name][i]))
            for i in columns
        )
        lines.append(layout.faint(f"  {'  ' + _MINE:{label}}") + "".join(cells))
    return lines


def _wrong_entries(probe: Probe, step: _Step, layout: Layout) -> list[str]:
    """Of a matrix, the entries that are wrong."""
    form = FORMS[probe.location, probe.kind]
    true, mine, places = (
        step.truth[probe.name],
        step.mine[probe.name],
        np.argwhere(step.wrong[probe.name]).tolist(),
    )
    if not places:
        return [f"  {probe.name}  {layout.faint('all right')}"]
    texts = [(f"({i},{j}) {form(mine[i, j], -1)}", f" for {form(true[i, j], -1)}") for i, j in places]
    items = [(len(wrong) + 1 + len(right), layout.judged(wrong, True) + right) for wrong, right in texts]
    head = f"  {probe.name}  " + layout.faint(f"{len(places)} of {true.size} wrong")
    return [head, *flow(items, "      ", layout.width, _MOST_LINES)]


def _summary(spec: Spec, steps: int, found: dict[str, ProbeComparison], layout: Layout) -> list[str]:
    """How many entries of hints are right at each step that both runs have."""
    counts = [(step, *totals(found, spec.hints, step)) for step in range(1, steps)]
    texts = [f"{step}: {right}/{total}" for step, right, total in counts if total]
    if not texts:
        return []
    items = [(len(text), text) for text in texts]
    return ["", layout.title("right entries of hints by step"), *flow(items, "  ", layout.width, len(items))]
