"""Sub-steps and notations that several algorithms share."""
