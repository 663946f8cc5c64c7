"""The order of tasks, nothing else."""
