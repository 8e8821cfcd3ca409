"""Running an algorithm into a trace; traces by index; the canonical splits of CLRS-30; traces as text."""

from nar.traces.beginning import begin
from nar.traces.check import check_algorithm
from nar.traces.export import export_json_lines
from nar.traces.record import collect
from nar.traces.sample import (
    CLRS30_SPLITS,
    blank_traces,
    clrs30_sample,
    clrs30_split,
    run_algorithm,
    sample_traces,
)
from nar.traces.storage import StoredTraces, load_traces, save_traces
from nar.traces.text import TEXT_SETS, Text, TextSet, sample_texts, text_dataset, to_text, to_texts
from nar.traces.trace import Probes, Trace, TraceBatch

__all__ = [
    "CLRS30_SPLITS",
    "TEXT_SETS",
    "Probes",
    "StoredTraces",
    "Text",
    "TextSet",
    "Trace",
    "TraceBatch",
    "begin",
    "blank_traces",
    "check_algorithm",
    "clrs30_sample",
    "clrs30_split",
    "collect",
    "export_json_lines",
    "load_traces",
    "run_algorithm",
    "sample_texts",
    "sample_traces",
    "save_traces",
    "text_dataset",
    "to_text",
    "to_texts",
]
