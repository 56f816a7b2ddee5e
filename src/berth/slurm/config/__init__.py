"""What Berth writes into Slurm's configuration, and how those files are read."""
