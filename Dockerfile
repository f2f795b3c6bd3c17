# Builds with Docker, Podman and Buildah; see docs/deploying.md.
# Any Debian with python3 (3.11 or newer), venv and ca-certificates can be the base; pin it by its digest in production.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
COPY requirements/build.txt requirements/image.txt requirements/
RUN python3 -m venv /opt/hubbub \
    && /opt/hubbub/bin/python -m pip install --require-hashes --requirement requirements/image.txt
RUN python3 -m venv /opt/build \
    && /opt/build/bin/python -m pip install --require-hashes --requirement requirements/build.txt
COPY . .
# The web client is built here, unless src/hubbub/web_dist matches the sources. pip is not needed at run time.
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
    && /opt/hubbub/bin/python -m pip install --no-deps --no-index /dist/*.whl \
    && /opt/hubbub/bin/python -m pip uninstall --yes pip \
    && /opt/hubbub/bin/python -m compileall -q /opt/hubbub/lib

FROM ${PYTHON_IMAGE}
RUN groupadd --system --gid 10001 hubbub \
    && useradd --system --uid 10001 --gid hubbub --home-dir /data --no-create-home --shell /usr/sbin/nologin hubbub \
    && install --directory --owner=hubbub --group=hubbub --mode=0700 /data
COPY --from=build /opt/hubbub /opt/hubbub
ENV PATH=/opt/hubbub/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HUBBUB_HOST=0.0.0.0 \
    HUBBUB_PORT=8000 \
    HUBBUB_DATA=/data
USER hubbub
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=90s CMD ["python3", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"HUBBUB_PORT\"]}/health/ready', timeout=5)"]
ENTRYPOINT ["hubbub"]
CMD ["serve"]
