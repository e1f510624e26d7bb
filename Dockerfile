# The gateway as an image: the wheel's files and the locked dependencies, nothing of the source tree, no compiler, no
# installer, no root.
#
#   docker build -t gatekeeper .
#   docker run --rm -p 127.0.0.1:8080:8080 gatekeeper demo
#
# It writes below /var/lib/gatekeeper alone (a volume: the outbox there is money), so the rest may be read-only:
# --read-only --tmpfs /tmp. Inside a container loopback is the container's own, so both planes listen on every address
# there. Publish the admin port (8081) only to whom it is for.
#
# What traces take (the extra `otel`, 6 MB) is in it, and not imported before GATEKEEPER_TRACING__ENABLED=true.
#
# docker-compose.yml and deploy/ run it; what of all that was executed and what only checked: docs/operations.md.

FROM python:3.13-slim AS build
WORKDIR /src
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_PROJECT_ENVIRONMENT=/opt/gatekeeper UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
# The dependencies first: they change less often than the code, and are a layer of their own.
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --locked --no-dev --extra otel --no-install-project
COPY gatekeeper ./gatekeeper
COPY config ./config
RUN uv sync --locked --no-dev --extra otel --no-editable

FROM python:3.13-slim
RUN groupadd --system --gid 10001 gatekeeper \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/gatekeeper --create-home gatekeeper \
    && rm -rf /usr/local/lib/python3.13/site-packages/pip* /usr/local/lib/python3.13/ensurepip
COPY --from=build /opt/gatekeeper /opt/gatekeeper
COPY config/gatekeeper.yaml /etc/gatekeeper/gatekeeper.yaml
COPY config/catalog /etc/gatekeeper/catalog
ENV PATH=/opt/gatekeeper/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GATEKEEPER_CONFIG=/etc/gatekeeper/gatekeeper.yaml \
    GATEKEEPER_SERVER__HOST=0.0.0.0 \
    GATEKEEPER_SERVER__ADMIN_HOST=0.0.0.0 \
    GATEKEEPER_STORE__DATA_DIR=/var/lib/gatekeeper
USER 10001:10001
WORKDIR /var/lib/gatekeeper
VOLUME /var/lib/gatekeeper
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-m", "gatekeeper.health"]
ENTRYPOINT ["gatekeeper"]
CMD ["serve"]
