"""Traces as the texts of CLRS-Text (Markeeva et al. 2024, arXiv 2406.04229)."""
