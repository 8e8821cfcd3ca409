"""The recorder: runs algorithms and writes their hints to the arrays of a batch (see README.md)."""
