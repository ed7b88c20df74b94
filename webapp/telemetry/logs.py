"""Log lines on stdout, plain or JSON, of Forewarm's own loggers and the libraries' alike."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

import orjson

PLAIN = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """One JSON object a line; what a caller gave as `extra={"fields": {…}}` stands beside it."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(line, default=str).decode()
        except orjson.JSONEncodeError:  # a lone surrogate, an integer beyond 64 bits
            text = json.dumps(line, default=str, ensure_ascii=False)
            return text.encode(errors="replace").decode()


def configure(level: str, form: str) -> None:
    """Set the process's logging: LOG_LEVEL and LOG_FORMAT (plain, json)."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(PLAIN))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # They say each request and each retry, with its URL; ours says what came of it.
    for chatty in ("urllib3", "requests_cache"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))
