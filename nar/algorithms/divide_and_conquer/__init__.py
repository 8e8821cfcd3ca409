"""Divide-and-conquer algorithms."""
