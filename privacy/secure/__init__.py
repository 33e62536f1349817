"""A sum over sites of which the coordinator learns the total and nothing else."""
