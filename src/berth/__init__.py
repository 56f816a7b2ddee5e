"""Berth: an interactive computing service on top of Slurm.

The sub-packages have one consumer each, or several that must agree:

* ``berth.slurm``: Slurm's notation, records and client (standard library only); imported by the
  Ansible filters at deploy time and by the hub at run time.
* ``berth.hub``: the service itself, a set of JupyterHub components.
* ``berth.helper``: the small privileged part beside the hub.
* ``berth.session``: what runs on the compute node.
* ``berth.doctor``: what looks whether all of this is well.
* ``berth.releases``: the catalogue of software releases, and the tool that makes them.
"""

from __future__ import annotations

__version__ = "0.1.0"
