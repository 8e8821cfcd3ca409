"""Reports from the files that a run wrote: tables and curves."""

from nar.reports.curves import draw_curves
from nar.reports.tables import format_table, result_summary, scores_table

__all__ = ["draw_curves", "format_table", "result_summary", "scores_table"]
