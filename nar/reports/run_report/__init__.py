"""Comparison of many runs: from their files to one HTML page, tables and plots.

The modules in order of dependency: records and reading; settings; published, quantities and sizes; tables and
panels; palette and drawing; page; report.
"""

from nar.reports.run_report.published import Published, all_published, find_published
from nar.reports.run_report.reading import read_records
from nar.reports.run_report.records import Record, Records
from nar.reports.run_report.report import make_report, report_notes
from nar.reports.run_report.settings import Setting, make_settings
from nar.reports.run_report.tables import score_table

__all__ = [
    "Published",
    "Record",
    "Records",
    "Setting",
    "all_published",
    "find_published",
    "make_report",
    "make_settings",
    "read_records",
    "report_notes",
    "score_table",
]
