# podgate's image: Python, the locked dependencies, podgate. Nothing of it needs a shell.
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg SOURCE_DATE_EPOCH=... .
#   make image                     # the same by buildah, where no registry can be reached on bases of its own
#
# What is built runs on BUILD_BASE, on the machine's own platform: other platforms are wheels to fetch and files to copy,
# and need no emulation. Both bases must have the same Python (3.13); PYTHON is where BASE has it.
ARG BUILD_BASE=docker.io/library/python:3.13-slim-trixie
ARG BASE=gcr.io/distroless/python3-debian13:nonroot

FROM --platform=$BUILDPLATFORM ${BUILD_BASE} AS build
WORKDIR /build
COPY image/tools.txt ./
# Who builds behind a proxy or mirror of their own hands in what this machine trusts, and pip's and uv's settings, as
# secrets: certificates, pip, uv. None is needed, and none leaves a trace.
RUN --mount=type=secret,id=certificates,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv /tools \
 && /tools/bin/pip install --no-cache-dir --no-deps --require-hashes --requirement tools.txt

ARG PYTHON=/usr/bin/python3
ARG SOURCE_DATE_EPOCH=0
ARG TARGETARCH
ENV PATH=/tools/bin:$PATH UV_NO_CACHE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/podgate
COPY pyproject.toml uv.lock ./
# Wheels only, as the lock file has them: nothing that is fetched runs here.
RUN --mount=type=secret,id=certificates,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=secret,id=uv,target=/etc/uv/uv.toml \
    case "$TARGETARCH" in \
      amd64) platform=x86_64-manylinux_2_28 ;; \
      arm64) platform=aarch64-manylinux_2_28 ;; \
      *) echo "no image for TARGETARCH=$TARGETARCH" >&2; exit 1 ;; \
    esac \
 && SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    uv sync --frozen --no-dev --all-extras --no-install-project --no-build --python-platform "$platform" \
      --python "$(command -v python3)"
# By pip, for uv notes in what it installs from a folder when that was made. pip wants to see certificates, asks nobody.
COPY README.md LICENSE ./
COPY docs/man docs/man
COPY webhook webhook
RUN --mount=type=secret,id=certificates,target=/etc/ssl/certs/ca-certificates.crt \
    uv build --wheel --no-build-isolation --python /tools/bin/python --out-dir /wheels \
 && pip --python /opt/podgate install --no-cache-dir --no-compile --no-deps --no-index /wheels/podgate-*.whl \
 && python3 -m compileall -f -q --invalidation-mode unchecked-hash /opt/podgate/lib \
 && find /opt/podgate/bin ! -type d ! -name '*podgate' ! -name 'python*' -delete \
 && rm -f /opt/podgate/.lock \
 && ln -sf "$PYTHON" /opt/podgate/bin/python3 \
 && ln -sf python3 /opt/podgate/bin/python \
 && echo "home = $(dirname "$PYTHON")" >/opt/podgate/pyvenv.cfg \
 && find /opt/podgate -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

# Said although it goes without saying: buildah 1.28 (Debian 12) would go on with the first stage's platform.
# hadolint ignore=DL3065
FROM --platform=$TARGETPLATFORM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="podgate" \
      org.opencontainers.image.description="A Kubernetes admission webhook that refuses pods whose images cannot run on the nodes they may land on" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"
COPY --from=build /opt/podgate /opt/podgate
# The bytecode is there, and the root file system may be read-only.
ENV PATH=/opt/podgate/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 8443 8080
ENTRYPOINT ["podgate"]
