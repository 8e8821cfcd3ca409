"""Wrappers that turn one processor into another: gates, triplets, masks, repetition."""
