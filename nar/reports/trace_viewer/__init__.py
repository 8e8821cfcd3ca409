"""Traces as text for the terminal and as HTML pages, optionally compared with a network's predictions."""
