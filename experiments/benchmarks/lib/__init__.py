"""What benchmarks share: dm-clrs as the baseline, matched networks, interleaved timing."""
