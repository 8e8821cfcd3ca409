"""The device mesh, and the processes of one run."""
