"""The leaderboard: exported runs next to published results, as a Markdown page and an HTML page with plots.

The modules in order of dependency: rows, columns, tables, leaderboard.
"""

from nar.reports.leaderboard.columns import Column, make_columns
from nar.reports.leaderboard.leaderboard import make_leaderboard
from nar.reports.leaderboard.rows import Row, read_rows

__all__ = ["Column", "Row", "make_columns", "make_leaderboard", "read_rows"]
