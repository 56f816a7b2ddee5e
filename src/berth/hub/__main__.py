"""Start the hub: `python -I -m berth.hub -f /etc/jupyterhub/jupyterhub_config.py`."""

from berth.hub.app import BerthHub

if __name__ == "__main__":
    BerthHub.launch_instance()
