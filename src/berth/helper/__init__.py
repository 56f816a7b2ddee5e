"""The one privileged part of Berth: a root-owned, socket-activated helper that answers one request and ends.

Read it in this order: `protocol` (what may be asked), `policy` (by whom and for whom), `passwords`,
`accounts`, `slurm` (what is done), `__main__` (one request from the first byte to the answer). `client` is
the hub's side.
"""
