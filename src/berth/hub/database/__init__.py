"""JupyterHub's database: how the hub lives with a server that may go away, and how all of it is copied."""
