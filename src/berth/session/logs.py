"""What a session's log must not hold, as its user may show it to others: cookies, and queries of URLs."""

from __future__ import annotations

import logging
import re
from typing import Final

from berth import journal

_LOGGERS: Final = ("tornado.application", "tornado.general")
"""Where tornado tells of requests that failed, with their whole URL, and JupyterHub of cookies."""
_QUERY: Final = re.compile(r"""(/[^\s?"']*)\?[^\s"']+""")


def keep_clean() -> None:
    """Have lines about cookies left out, and queries taken out of lines about requests."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(cleaned)


def cleaned(record: logging.LogRecord) -> bool:
    """Tell whether a record may be written, and take the queries out of it: a filter of loggers."""
    record.msg, record.args = _QUERY.sub(r"\1?[secret]", record.getMessage()), None
    return journal.without_secrets(record)
