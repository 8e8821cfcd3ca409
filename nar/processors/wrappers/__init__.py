"""Wrappers that take a processor and are one: gates, triplets, masks, repeated message passing."""
