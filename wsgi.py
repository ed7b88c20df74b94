"""The WSGI entry point: `granian --interface wsgi wsgi:app`. Settings come from the environment."""

from __future__ import annotations

import sys

from webapp.app import create_app
from webapp.errors import SettingsError
from webapp.settings import Settings
from webapp.telemetry import logs

try:
    settings = Settings.from_env()
    logs.configure(settings.log_level, settings.log_format)
    app = create_app(settings)
except SettingsError as error:
    sys.exit(f"forewarm: {error}")
