"""One small HTTP request, past every proxy that the environment may name."""

from __future__ import annotations

from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

SECONDS: Final = 10.0
_MAX_BYTES: Final = 65536


class WebError(Exception):
    """There was no answer of HTTP; the text says why."""


@dataclass(frozen=True)
class Page:
    """An answer."""

    status: int
    date: str
    """The header `Date`."""
    text: str


def get(url: str, context: ssl.SSLContext | None = None) -> Page:
    """Ask for a page. Raises ssl.SSLError where the certificate is not trusted, WebError for all else."""
    address = urlsplit(url)
    connection = (
        HTTPSConnection(address.hostname or "", address.port, timeout=SECONDS, context=context)
        if address.scheme == "https"
        else HTTPConnection(address.hostname or "", address.port, timeout=SECONDS)
    )
    try:
        connection.request("GET", address.path or "/")
        answer = connection.getresponse()
        text = answer.read(_MAX_BYTES).decode(errors="replace")
        return Page(answer.status, answer.headers.get("Date", ""), text)
    except HTTPException as error:
        raise WebError(f"{url} does not speak HTTP: {error!r}") from error
    except OSError as error:
        import ssl  # noqa: PLC0415 - only to tell its errors apart

        if isinstance(error, ssl.SSLError):
            raise
        raise WebError(f"{url}: {error.strerror or error}") from error
    finally:
        connection.close()
