"""The training step: gradients, gradient accumulation, several seeds, the parameter update."""
