"""Correctness of whole answers: exact match, and checkers for problems with several answers."""
