"""What is free and what one may have: pure figures from Slurm's answers."""
