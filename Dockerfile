# Production's packages and files, nothing else: docker build -t forewarm .
# One image, four process types: docker run … forewarm release|web|worker|scheduler
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS packages
RUN python -m venv /srv/forewarm/.venv
WORKDIR /srv/forewarm
COPY requirements.txt ./
RUN .venv/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --no-compile -r requirements.txt \
    && .venv/bin/pip uninstall --yes pip setuptools

FROM python:${PYTHON}-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin forewarm
WORKDIR /srv/forewarm
COPY --from=packages /srv/forewarm/.venv .venv
COPY Procfile wsgi.py ./
COPY script/process script/process
COPY webapp webapp
COPY workers workers
COPY templates templates
COPY static static
RUN .venv/bin/python -m compileall -q .venv/lib webapp workers wsgi.py
ARG SOURCE_VERSION=
ENV PYTHONUNBUFFERED=1 PORT=8000 SOURCE_VERSION=${SOURCE_VERSION}
USER 10001
EXPOSE 8000
# Of web; the other process types are looked after by Forewarm's own alerts (compose.yaml turns it off).
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["/srv/forewarm/.venv/bin/python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/srv/forewarm/script/process"]
CMD ["web"]
