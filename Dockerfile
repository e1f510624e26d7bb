# The gateway as an image: the wheel and the locked dependencies, nothing of the source tree, no compiler, no root.
#
#   docker build -t gatekeeper .
#   docker run --rm -p 127.0.0.1:8080:8080 gatekeeper demo
#
# Inside a container loopback is the container's own, so both planes listen on every address there. Publish the admin
# port (8081) only to whom it is for.

FROM python:3.13-slim AS build
WORKDIR /src
RUN pip install --no-cache-dir uv==0.13.9
COPY pyproject.toml uv.lock README.md LICENSE ./
COPY gatekeeper ./gatekeeper
COPY config ./config
ENV UV_PROJECT_ENVIRONMENT=/opt/gatekeeper UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
RUN uv sync --locked --no-dev --no-editable

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/gatekeeper --create-home gatekeeper
COPY --from=build /opt/gatekeeper /opt/gatekeeper
ENV PATH=/opt/gatekeeper/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GATEKEEPER_SERVER__HOST=0.0.0.0 \
    GATEKEEPER_SERVER__ADMIN_HOST=0.0.0.0 \
    GATEKEEPER_STORE__DATA_DIR=/var/lib/gatekeeper
USER gatekeeper
WORKDIR /var/lib/gatekeeper
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
ENTRYPOINT ["gatekeeper"]
CMD ["serve"]
