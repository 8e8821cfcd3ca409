"""The device mesh, and coordination of the processes of a run."""
