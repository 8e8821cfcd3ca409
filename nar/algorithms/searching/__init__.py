"""Searching and selection."""
