"""What Berth knows of Slurm: its notations, its configuration rows, its answers.

Standard library only. Ansible's filters use it when a site is deployed and the hub uses it at
run time, so that the form cannot disagree with ``slurm.conf``.

:mod:`~berth.slurm.units`, :mod:`~berth.slurm.hostlist` and :mod:`~berth.slurm.gres` hold the
notations; :mod:`~berth.slurm.conf` and :mod:`~berth.slurm.rows` write configuration.
:mod:`~berth.slurm.client` asks Slurm, :mod:`~berth.slurm.records` reads its answers, and
:mod:`~berth.slurm.capacity` tells from them what is free.
"""
