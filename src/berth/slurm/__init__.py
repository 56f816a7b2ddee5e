"""What Berth knows of Slurm: its notations, its configuration rows, its answers.

Standard library only. Ansible's filters use it when a site is deployed and the hub uses it at
run time, so that the form cannot disagree with ``slurm.conf``.

Rooms: ``notation`` holds the notations; ``config`` writes configuration, ``existing`` reads somebody else's;
``answers`` asks Slurm and reads what it says; ``free`` tells from that what is free and what one may have.
"""
