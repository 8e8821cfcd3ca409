"""The recorder: runs an algorithm and writes its hints into the arrays of a batch, compiled by numba."""
