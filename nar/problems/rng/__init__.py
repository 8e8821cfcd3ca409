"""Random number generators of problems: one counter-based stream a trace, and numpy's of CLRS-30."""
