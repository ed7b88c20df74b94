"""Settings of a process that Dramatiq or periodiq starts: refused with one line, as the web's."""

from __future__ import annotations

import logging
import sys

from webapp.errors import SettingsError
from webapp.settings import Settings


def settings() -> Settings:
    """From the environment; ends the process where they are refused."""
    try:
        held = Settings.from_env()
    except SettingsError as error:
        sys.exit(str(error))
    logging.getLogger().setLevel(held.log_level)
    return held
