"""What Slurm answers: the queries, and their documents of every version as typed records."""
