"""Text diff of a network's run against the algorithm's: true and predicted values, with errors marked."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from nar.reports.trace_viewer.compare import TOLERANCE, ProbeComparison, compare_traces, totals
from nar.reports.trace_viewer.readable_values import rank, read
from nar.reports.trace_viewer.text_layout import WRONG, Layout, cut, flow
from nar.reports.trace_viewer.trace_text import FORMS, LEGEND, Readings, block, choose, least_width, readings
from nar.specs import Probe, Spec
from nar.traces import Trace

_MAX_LINES = 4
_PREDICTED = "predicted"


@dataclasses.dataclass(frozen=True)
class _Step:
    """Readable values of both runs at one step, and masks of the network's errors."""

    truth: Readings
    predicted: Readings
    wrong: Readings


def diff_text(spec: Spec, truth: Trace, other: Trace, steps: int, layout: Layout | None = None) -> str:
    """Formats both runs, step by step.

    Args:
      spec: spec of both runs; hints that the network does not predict are shown with their true values.
      truth: the algorithm's run.
      other: the network's run, whose initial hints are given.
      steps: number of hint steps of the network's run, including the first.
      layout: width and color.

    Returns:
      Lines, without a trailing newline.
    """
    layout = layout or Layout()
    comparisons = compare_traces(spec, truth, other)
    legend = f"{LEGEND}, {WRONG} wrong (numbers: by more than {TOLERANCE:.0%})"
    lines = [layout.faint(cut(legend, layout.width)), "", layout.title("inputs")]
    lines += block(spec.inputs, readings(spec.inputs, truth.inputs), {}, layout)
    for step in range(max(truth.length, steps)):
        lines += [
            "",
            _title(spec, truth, steps, comparisons, step, layout),
            *_step(spec, truth, other, comparisons, step, layout),
        ]
    right, total = totals(comparisons, spec.outputs, None)
    lines += ["", layout.title("outputs") + layout.faint(f" · {right} of {total} entries right")]
    lines += _pair(spec.outputs, _outputs(spec, truth, other, comparisons), layout)
    return "\n".join(
        line.rstrip() for line in [*lines, *_summary(spec, min(truth.length, steps), comparisons, layout)]
    )


def _title(
    spec: Spec, truth: Trace, steps: int, comparisons: dict[str, ProbeComparison], step: int, layout: Layout
) -> str:
    title = layout.title(f"step {step} of 0…{max(truth.length, steps) - 1}")
    if step == 0:
        return title + layout.faint(" · given to the network")
    if step >= truth.length:
        return title + layout.faint(" · the algorithm has ended, the network continues")
    if step >= steps:
        return title + layout.faint(" · the network has ended, the algorithm continues")
    right, total = totals(comparisons, spec.per_step, step)
    return title + layout.faint(
        f" · {right} of {total} entries right" if total else " · no hint is predicted"
    )


def _step(
    spec: Spec, truth: Trace, other: Trace, comparisons: dict[str, ProbeComparison], step: int, layout: Layout
) -> list[str]:
    """Formats the hints of both runs at a step, or of the only run that has it."""
    true, predicted = (_hints(spec, run, step) for run in (truth, other))
    compared = [probe for probe in spec.per_step if probe.name in comparisons and step > 0]
    both = [probe for probe in compared if probe.name in true and probe.name in predicted]
    names = {probe.name for probe in both}
    wrong = {name: comparisons[name].wrong[step] for name in names}
    rest = [probe for probe in spec.per_step if probe.name not in names and probe.name in (true or predicted)]
    return [*_pair(both, _Step(true, predicted, wrong), layout), *block(rest, true or predicted, {}, layout)]


def _hints(spec: Spec, run: Trace, step: int) -> Readings:
    return {
        probe.name: read(probe, run.hints[probe.name][step])
        for probe in spec.per_step
        if probe.name in run.hints and step < len(run.hints[probe.name])
    }


def _outputs(spec: Spec, truth: Trace, other: Trace, comparisons: dict[str, ProbeComparison]) -> _Step:
    true, predicted = (readings(spec.outputs, run.outputs) for run in (truth, other))
    return _Step(true, predicted, {probe.name: comparisons[probe.name].wrong for probe in spec.outputs})


def _pair(probes: Sequence[Probe], step: _Step, layout: Layout) -> list[str]:
    """Formats probes: single values in one line, node probes as a table, wrong entries of edge probes."""
    by_rank = [[probe for probe in probes if rank(probe) == axes] for axes in range(3)]
    lines = _singles(by_rank[0], step, layout) if by_rank[0] else []
    lines += _table(by_rank[1], step, layout) if by_rank[1] else []
    return lines + [line for probe in by_rank[2] for line in _wrong_entries(probe, step, layout)]


def _singles(probes: Sequence[Probe], step: _Step, layout: Layout) -> list[str]:
    items = []
    for probe in probes:
        form = FORMS[probe.location, probe.kind]
        true, predicted = (form(values[probe.name].item(), -1) for values in (step.truth, step.predicted))
        is_wrong = bool(step.wrong[probe.name])
        text = f"{probe.name} = {true}, {_PREDICTED} "
        items.append((len(text) + len(predicted) + 1, text + layout.checked(predicted, is_wrong)))
    return flow(items, "  ", layout.width, len(items))


def _table(probes: Sequence[Probe], step: _Step, layout: Layout) -> list[str]:
    """Formats a table with two lines per probe and a column per node; if not all fit, errors come first."""
    rows = {
        p.name: [
            [FORMS[p.location, p.kind](value, i) for i, value in enumerate(values[p.name])]
            for values in (step.truth, step.predicted)
        ]
        for p in probes
    }
    num_nodes = len(step.truth[probes[0].name])
    label = max(len(_PREDICTED) + 2, *map(len, rows))
    longest = max(len(text) for pair in rows.values() for row in pair for text in row)
    wide = max(least_width(num_nodes, list(probes)), longest) + 2
    rest = f" … of {num_nodes}"
    available = layout.width - label - 4
    fits = num_nodes * wide <= available
    any_wrong = np.any([step.wrong[probe.name] for probe in probes], axis=0)
    columns = choose(any_wrong, num_nodes if fits else max(1, (available - len(rest)) // wide))
    header = "".join(f"{column:>{wide - 1}} " for column in columns)
    lines = [layout.faint(cut(f"  {'node':{label}}{header.rstrip()}{'' if fits else rest}", layout.width))]
    for name, (true, predicted) in rows.items():
        lines.append(f"  {name:{label}}" + "".join(f"{true[i]:>{wide - 1}} " for i in columns))
        cells = (
            " " * (wide - 1 - len(predicted[i])) + layout.checked(predicted[i], bool(step.wrong[name][i]))
            for i in columns
        )
        lines.append(layout.faint(f"  {'  ' + _PREDICTED:{label}}") + "".join(cells))
    return lines


def _wrong_entries(probe: Probe, step: _Step, layout: Layout) -> list[str]:
    """Lists the wrong entries of an edge probe."""
    form = FORMS[probe.location, probe.kind]
    true, predicted, indices = (
        step.truth[probe.name],
        step.predicted[probe.name],
        np.argwhere(step.wrong[probe.name]).tolist(),
    )
    if not indices:
        return [f"  {probe.name}  {layout.faint('all right')}"]
    texts = [(f"({i},{j}) {form(predicted[i, j], -1)}", f" for {form(true[i, j], -1)}") for i, j in indices]
    items = [(len(wrong) + 1 + len(right), layout.checked(wrong, True) + right) for wrong, right in texts]
    head = f"  {probe.name}  " + layout.faint(f"{len(indices)} of {true.size} wrong")
    return [head, *flow(items, "      ", layout.width, _MAX_LINES)]


def _summary(spec: Spec, steps: int, comparisons: dict[str, ProbeComparison], layout: Layout) -> list[str]:
    """Counts the correct hint entries of each step that both runs have."""
    counts = [(step, *totals(comparisons, spec.per_step, step)) for step in range(1, steps)]
    texts = [f"{step}: {right}/{total}" for step, right, total in counts if total]
    if not texts:
        return []
    items = [(len(text), text) for text in texts]
    return ["", layout.title("right entries of hints by step"), *flow(items, "  ", layout.width, len(items))]
