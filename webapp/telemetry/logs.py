"""Log lines on stdout, plain or JSON, of Forewarm's own loggers and the libraries' alike.

Whatever a library says of a URL, a header or an argument, no secret is in a line (scrub.py).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from datetime import UTC, datetime

import orjson

from webapp.scrub import scrub, scrubbed

log = logging.getLogger(__name__)

PLAIN = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class PlainLines(logging.Formatter):
    """Time, level, logger, message; an exception on the lines below."""

    def __init__(self) -> None:
        super().__init__(PLAIN)

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


class JsonLines(logging.Formatter):
    """One JSON object a line; what a caller gave as `extra={"fields": {…}}` stands beside it."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": scrub(record.getMessage()),
            **{name: scrubbed(each) for name, each in getattr(record, "fields", {}).items()},
        }
        if record.exc_info:
            line["exception"] = scrub(self.formatException(record.exc_info))
        try:
            return orjson.dumps(line, default=str).decode()
        except orjson.JSONEncodeError:  # a lone surrogate, an integer beyond 64 bits
            text = json.dumps(line, default=str, ensure_ascii=False)
            return text.encode(errors="replace").decode()


def lines(form: str = "") -> logging.Formatter:
    """LOG_FORMAT's lines; the variable's own where nothing is said, as granian.json has it, for
    the server's process that supervises others reads no settings."""
    form = form or os.environ.get("LOG_FORMAT", "")
    return JsonLines() if form.strip().lower() == "json" else PlainLines()


def configure(level: str, form: str) -> None:
    """Set the process's logging: LOG_LEVEL and LOG_FORMAT (plain, json)."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(lines(form))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # They say each request and each retry, with its URL; ours says what came of it.
    for chatty, least in (("urllib3", logging.ERROR), ("requests_cache", logging.WARNING)):
        logging.getLogger(chatty).setLevel(max(least, logging.getLevelName(level)))
    if threading.excepthook is threading.__excepthook__:  # a test's own hook stays
        threading.excepthook = _thread_broke


def _thread_broke(told: threading.ExceptHookArgs) -> None:
    """Python's own hook writes the traceback to stderr as it is, secrets and all."""
    if told.exc_value is None or issubclass(told.exc_type, SystemExit):
        return
    name = told.thread.name if told.thread else "?"
    error = (told.exc_type, told.exc_value, told.exc_traceback)
    log.error("an error nobody expected in thread %s", name, exc_info=error)
