"""How a site names its database."""

from __future__ import annotations

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError


def postgresql(text: str) -> str:
    """Return the URL of a PostgreSQL database, or nothing, which stands for SQLite. Raises ValueError."""
    message = "write postgresql+psycopg://user@host/database, or nothing for SQLite"
    try:
        url = make_url(text) if text else None
    except ArgumentError as error:
        raise ValueError(message) from error
    if url is None:
        return text
    if url.password is not None or "password" in url.query:
        message = "the password does not belong here: it is the role's hub_database_password"
        raise ValueError(message)
    if url.drivername != "postgresql+psycopg" or not url.database:
        raise ValueError(message)
    return text
