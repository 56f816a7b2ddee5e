# The configuration is data: /etc/berth/hub.yml and /etc/berth/form.yml, which Berth's roles write.
# `python -I -m berth.hub.config /etc/berth` checks both.
from berth.hub.config import apply

c = get_config()  # noqa: F821 - JupyterHub puts it here
apply(c, "/etc/berth")
