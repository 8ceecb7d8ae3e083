# Rollcall in a container: one binary, no shell, not root, SQLite on the volume /data by default.
#
#   docker build -t rollcall .
#   docker run -p 127.0.0.1:8080:8080 -v rollcall:/data -e WORKOS_WEBHOOK_SECRET rollcall

FROM rust:1.95-slim-bookworm AS build
# libpq refuses `sslmode=require` without OpenSSL, whose vendored source wants perl and make.
RUN apt-get update \
    && apt-get install -y --no-install-recommends make perl \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build

# The dependencies are built behind an empty program, in a layer that lasts until one of them
# changes. Benchmarks are declared in Cargo.toml, but not here to be found.
COPY Cargo.toml Cargo.lock ./
RUN sed -i '/^\[\[bench\]\]/,/^$/d' Cargo.toml \
    && mkdir src \
    && touch src/lib.rs \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --release --locked --features postgres-tls --bin rollcall

# Copied files keep their times, which lie before the build above: untouched, cargo would take the
# empty program for the finished one.
COPY . .
RUN sed -i '/^\[\[bench\]\]/,/^$/d' Cargo.toml \
    && touch src/lib.rs src/main.rs \
    && cargo build --release --locked --features postgres-tls --bin rollcall \
    && mkdir /data

# glibc, libgcc and the certificate authorities' bundle, which HTTPS and SMTP need; nothing else.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Rollcall" \
      org.opencontainers.image.description="A self-hosted WorkOS Directory Sync consumer: keeps the roll of who works there." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /build/target/release/rollcall /usr/local/bin/rollcall
# Owned by the user below, as is a new volume that is mounted over it.
COPY --from=build --chown=65532:65532 /data /data
# By number: Kubernetes' runAsNonRoot cannot look names up.
USER 65532:65532
# The default database, sqlite://rollcall.db, is relative to here.
WORKDIR /data
VOLUME ["/data"]
ENV ROLLCALL_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/rollcall", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/rollcall"]
CMD ["serve"]
