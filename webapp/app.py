"""create_app(): where a request's path is assembled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from werkzeug.middleware.proxy_fix import ProxyFix

from webapp import cli, services
from webapp.hitpath import HitPath
from webapp.services import Services
from webapp.settings import Settings
from webapp.version import VERSION
from webapp.views import graphql, health, metrics, mirror, security_headers, webhooks
from webapp.views.api import blueprint as api
from webapp.views.dashboard import blueprint as dashboard
from webapp.views.guard import BODY_MAX, Guard
from webapp.views.responses import JsonProvider, register_errors

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def create_app(settings: Settings) -> Flask:
    """The WSGI application. Nothing connects before the first request.

    A request's path:

        hit path       a fresh hit is answered here, before Flask (hitpath.py)
        shares         counts busy threads, so that misses never starve hits (shares.py)
        proxy fix      TRUSTED_PROXIES many of X-Forwarded-*, none by default
          guard        Host is ours; what the blueprint asks of its callers
            mirror     scope by Authorization -> canonical target -> the ladder (serve.py)
            graphql    passed through; for the service's eyes queries only
            webhooks   by signature; what they purge is in webhooks.py
            api        validated by its models
            dashboard  pages
            health     open to all
            metrics    for Prometheus
        errors         GitHub's shape, decided in views/responses.py
        headers        what browsers are told, views/security_headers.py
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
    app.json = JsonProvider(app)
    app.json.sort_keys = False
    app.config["MAX_CONTENT_LENGTH"] = BODY_MAX
    app.config["DEMO"] = settings.demo
    app.extensions["services"] = built = services.build(settings, app)
    guard = Guard(settings, built.callers, built.hosts, built.shares, built.limits)
    guard.install(app)
    app.register_blueprint(mirror.blueprint(built, guard))
    app.register_blueprint(graphql.blueprint(built, guard))
    app.register_blueprint(webhooks.blueprint(built))
    app.register_api(api.blueprint(built, guard))
    app.register_blueprint(dashboard.blueprint(built, guard))
    app.register_blueprint(health.blueprint(built))
    app.register_blueprint(metrics.blueprint(built))
    register_errors(app)
    security_headers.install(app, settings)
    cli.register(app)
    app.wsgi_app = _middleware(app, built)  # type: ignore[method-assign, assignment]
    return app


def _middleware(app: Flask, services: Services) -> WSGIApplication:
    settings = services.settings
    inner: WSGIApplication = app.wsgi_app
    if count := settings.trusted_proxies:
        inner = ProxyFix(inner, x_for=count, x_proto=count, x_host=count, x_port=count)
    counted = services.shares.counting(inner)
    if not settings.hitpath:
        return counted
    return HitPath(
        counted,
        store=services.store,
        near=services.near,
        callers=services.callers,
        hosts=services.hosts,
        allowances=services.client.allowances,
        hits=services.recorder.hits if settings.telemetry else None,
        demand=services.demand.noted,
        sample=settings.hit_sample,
        honour_no_cache=settings.honour_no_cache,
        transport=[*security_headers.transport(settings.public_url or "").items()],
    )
