"""Searching and selection algorithms."""
