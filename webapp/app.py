"""create_app(): where a request's path is assembled."""

from __future__ import annotations

from flask import Flask
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from werkzeug.middleware.proxy_fix import ProxyFix

from webapp import cli, services
from webapp.settings import Settings
from webapp.views import api, dashboard, health, mirror
from webapp.views.guard import Guard
from webapp.views.responses import register_errors

VERSION = "0.1.0"


def create_app(settings: Settings) -> Flask:
    """The WSGI application. Nothing connects before the first request.

    A request's path:

        proxy fix      TRUSTED_PROXIES many of X-Forwarded-*, none by default
          guard        Host is ours; what the blueprint asks of its callers
            mirror     scope by Authorization -> canonical target -> the ladder (serve.py)
            api        validated by its models
            dashboard  pages
            health     open to all
        errors         GitHub's shape, decided in views/responses.py
    """
    app = OpenAPI(
        __name__,
        info=Info(title="Forewarm", version=VERSION),
        doc_ui=False,
        validation_error_status=400,
        validation_error_callback=api.validation_failed,
        template_folder="../templates",
        static_folder="../static",
    )
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config["DEMO"] = settings.demo
    app.extensions["services"] = built = services.build(settings, app)
    guard = Guard(settings, built.callers)
    guard.install(app)
    app.register_blueprint(mirror.blueprint(built, guard))
    app.register_api(api.blueprint(built, guard))
    app.register_blueprint(dashboard.blueprint(built, guard))
    app.register_blueprint(health.blueprint(built))
    register_errors(app)
    cli.register(app)
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_port=count
        )
    return app
