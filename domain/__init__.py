"""What the bank means: one package per noun; rules live here and nowhere else."""
