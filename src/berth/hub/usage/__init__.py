"""What sessions used of the cluster: asked of Slurm's accounting, added up, shown to users and operators."""
