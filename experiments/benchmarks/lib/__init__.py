"""Shared code of benchmarks: dm-clrs as the baseline, matched networks, interleaved timing."""
