"""Conversion of dm-clrs 2.0.3 parameters and checkpoints to parameters of `nar`.

    params = convert_parameters(read_checkpoint("best.pkl"), "triplet_gmpnn", {"bfs": spec})

The converted network computes the same as the original. Only numpy is needed, and code embedded in a
checkpoint file is never run. `python -m experiments.convert` converts a checkpoint to a run.
"""

from nar.model.dm_clrs.checkpoint import read_checkpoint
from nar.model.dm_clrs.parameters import convert_parameters
from nar.model.dm_clrs.shapes import check_param_shapes

__all__ = ["check_param_shapes", "convert_parameters", "read_checkpoint"]
