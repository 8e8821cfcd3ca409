"""Correctness of whole answers: exact match, and checkers for problems with several correct answers."""
