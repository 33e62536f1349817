"""How one site learns: the plan of a run, patients as tensors, steps, evaluation, model files."""
