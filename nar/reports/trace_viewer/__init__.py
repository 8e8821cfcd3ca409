"""Traces as text for the terminal and as pages for a browser, beside a network's predictions."""
