"""Building blocks of processors: linear maps, attention, aggregation, layer norm, pair states."""
