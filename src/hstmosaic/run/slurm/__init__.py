"""Slurm: commands, jobs, workers."""
