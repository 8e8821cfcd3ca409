"""Reports: tables and plots from the files of a run; traces as text and as HTML pages.

`nar.reports.run_report` compares many runs.
"""

from nar.reports.evaluation_table import evaluation_table
from nar.reports.learning_curves import draw_curves
from nar.reports.result_table import result_summary
from nar.reports.scaling_plot import check_plot_path, draw_scaling
from nar.reports.static_trace import draw_scores_by_size, draw_trace
from nar.reports.sweep_table import Outcome, summarize, sweep_json, sweep_markdown, sweep_table
from nar.reports.tables import Table
from nar.reports.text_accuracy import answers_table, draw_accuracies, draw_accuracy
from nar.reports.trace_viewer.diff_text import diff_text
from nar.reports.trace_viewer.frame import show_trace
from nar.reports.trace_viewer.page import Run, trace_page, write_page
from nar.reports.trace_viewer.text_layout import Layout
from nar.reports.trace_viewer.trace_text import trace_text

__all__ = [
    "Layout",
    "Outcome",
    "Run",
    "Table",
    "answers_table",
    "check_plot_path",
    "diff_text",
    "draw_accuracies",
    "draw_accuracy",
    "draw_curves",
    "draw_scaling",
    "draw_scores_by_size",
    "draw_trace",
    "evaluation_table",
    "result_summary",
    "show_trace",
    "summarize",
    "sweep_json",
    "sweep_markdown",
    "sweep_table",
    "trace_page",
    "trace_text",
    "write_page",
]
