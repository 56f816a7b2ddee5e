"""What the hub knows of Slurm: one child process asks for everybody, and the hub keeps the last snapshot."""
