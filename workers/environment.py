"""Settings of a process that Dramatiq or periodiq starts: refused with one line, as the web's.

Its log is set up with them, in the place of what those two set up for themselves.
"""

from __future__ import annotations

import sys

from webapp.errors import SettingsError
from webapp.settings import Settings
from webapp.telemetry import logs


def settings() -> Settings:
    """From the environment, the log's in force; ends the process where they are refused."""
    try:
        held = Settings.from_env()
    except SettingsError as error:
        sys.exit(str(error))
    logs.configure(held.log_level, held.log_format)
    return held
