"""What runs on the compute node: a wrapper around the single-user server of JupyterHub.

The job's script starts ``python -I -m berth.session`` of the session layer. The wrapper binds its
port, loads the server, hands it the bound socket and tells the hub. Decisions: docs/adr/0004.
"""
