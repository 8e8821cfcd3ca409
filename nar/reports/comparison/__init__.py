"""Runs side by side, from their files to one page, tables and plots.

In this order, each module knowing only those before it: records and reading; settings; published, quantities
and sizes; tables and panels; formats, palette and drawing; page; report.
"""

from nar.reports.comparison.formats import as_html, as_latex, as_markdown
from nar.reports.comparison.published import Published, all_published, find_published
from nar.reports.comparison.reading import read_records
from nar.reports.comparison.records import Record, Records
from nar.reports.comparison.report import make_report, report_notes
from nar.reports.comparison.settings import Setting, make_settings
from nar.reports.comparison.tables import Table, score_table

__all__ = [
    "Published",
    "Record",
    "Records",
    "Setting",
    "Table",
    "all_published",
    "as_html",
    "as_latex",
    "as_markdown",
    "find_published",
    "make_report",
    "make_settings",
    "read_records",
    "report_notes",
    "score_table",
]
