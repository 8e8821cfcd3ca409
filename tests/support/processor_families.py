"""Processors for properties that hold by layer and wrapper, not by preset."""

FAMILIES = (
    "edge_transformer",
    "floydnet",
    "g_forgetnet",
    "gat",
    "gatv2",
    "memnet_full",
    "relational_transformer",
    "rnar",
    "step_encoding_mpnn",
    "triplet_gpgn_mask",
)
"""Names of processors that together have every layer and wrapper of the registered ones."""
