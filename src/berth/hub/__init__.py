"""The hub side of Berth: settings, collector, options, form, spawner, API handlers.

Runs unprivileged beside JupyterHub; everything that needs a privilege goes through `berth.helper`.
"""
