"""The Edge Transformer on CLRS-30 (Müller et al. 2024, arXiv 2401.10119), as its authors' code has it.

Command: python -m experiments.train --config=configs/edge_transformer.py --workdir=runs/edge_transformer
Cost: 10,000 steps of batch size 4 at n = 16; not run here yet.
Expected score: not measured here yet. The paper has the mean over CLRS-30's algorithms; its selection at
    n = 32 is `--config.evaluation.selection_sizes=32`.

Three layers of 192 features and twelve heads a step; pair states are not carried from step to step. It has no
size but 16, batches of 4 and a learning rate of 2.5e-4; the rest is the recipe of Ibarz et al. 2022.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """The base config with the network, the sizes, the batch size and the learning rate of the paper."""
    config = base.get_config()
    config.model.processor = "edge_transformer_diagonal"
    config.model.processor_options = ConfigDict({"num_layers": 3, "num_heads": 12})
    config.model.hidden_size = 192
    config.data.sizes = (16,)
    config.training.batch_size = 4
    config.training.learning_rate = 2.5e-4
    return config
