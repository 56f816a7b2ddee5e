"""What the guide says that is another thing at each site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from berth.hub.releases import view

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from berth.hub.settings import FormSettings, HubSettings
    from berth.releases.catalogue import Release


@dataclass(frozen=True)
class Facts:
    """The facts of one site."""

    url: str
    """Where users open the service."""
    partition: str
    form: FormSettings
    history_days: int
    releases: tuple[Release, ...]
    """Those that are offered, newest first."""
    catalogue: str
    """Where the catalogue of releases is, as seen from the guide; empty: nowhere."""

    @property
    def host(self) -> str:
        """The service's address as people say it."""
        return self.url.partition("://")[2].rstrip("/")

    @property
    def help(self) -> str:
        """Where users ask for help; empty: the site names no place."""
        return self.form.links.help_url()

    def has(self, interface: str) -> bool:
        """Tell whether the form offers an interface."""
        return any(item.name == interface for item in self.form.interfaces)

    @property
    def languages(self) -> frozenset[str]:
        """The languages of the releases' kernels."""
        return frozenset(item.language for release in self.releases for item in release.environments)


def gather(
    hub: HubSettings, form: FormSettings, releases: Sequence[Release], today: dt.date, catalogue: str = ""
) -> Facts:
    """Gather them from the settings and the index of releases."""
    offered = tuple(item for item in view.listed(releases, hidden=False) if item.offered(today))
    return Facts(hub.public_url, hub.slurm.partition, form, hub.history_days, offered, catalogue)
