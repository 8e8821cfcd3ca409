"""Subroutines and hint encodings that several algorithms share."""
