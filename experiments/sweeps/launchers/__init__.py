"""Launchers of trials: this machine, Slurm, a Ray cluster."""
