"""Networks of dm-clrs 2.0.3: their parameters and checkpoints under our names.

    params = convert_parameters(read_checkpoint("best.pkl"), "triplet_gmpnn", {"bfs": spec})

A network of dm-clrs and ours then compute the same, given the same batch. Only numpy is needed, and no code
that a file may hold is run. `python -m experiments.convert` makes a run of a checkpoint.
"""

from nar.model.dm_clrs.checkpoint import read_checkpoint
from nar.model.dm_clrs.parameters import convert_parameters
from nar.model.dm_clrs.shapes import check_param_shapes

__all__ = ["check_param_shapes", "convert_parameters", "read_checkpoint"]
