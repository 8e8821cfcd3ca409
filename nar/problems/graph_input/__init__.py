"""Graphs as users have them: matrices, edge lists, tables, and objects of other libraries."""
