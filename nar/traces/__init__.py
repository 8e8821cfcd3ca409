"""Traces: recorded runs of algorithms, sampled by index; the canonical splits of CLRS-30."""

from nar.traces.export import export_json_lines
from nar.traces.io import StoredTraces, load_traces, save_traces
from nar.traces.recorder.first_step import record_first_step
from nar.traces.recorder.record import collect
from nar.traces.sample import (
    CLRS30_SPLITS,
    clrs30_sample,
    clrs30_split,
    run_algorithm,
    sample_traces,
    zero_traces,
)
from nar.traces.trace import (
    Probes,
    Trace,
    TraceBatch,
    concatenate,
    first_hints,
    values_by_node,
)
from nar.traces.validate import check_algorithm

__all__ = [
    "CLRS30_SPLITS",
    "Probes",
    "StoredTraces",
    "Trace",
    "TraceBatch",
    "check_algorithm",
    "clrs30_sample",
    "clrs30_split",
    "collect",
    "concatenate",
    "export_json_lines",
    "first_hints",
    "load_traces",
    "record_first_step",
    "run_algorithm",
    "sample_traces",
    "save_traces",
    "values_by_node",
    "zero_traces",
]
