"""Slurm's notations, in and out: durations and sizes, lists of hosts, generic and trackable resources."""
