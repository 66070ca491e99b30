# The service alone, to be run beside a Postgres: see docker-compose.yml. `scripts/check-image` proves without an engine
# that what is copied here is enough to build it.

FROM rust:1.95-bookworm AS build
WORKDIR /build
# The target folder stands outside of what is copied; it and what cargo downloads are kept from one build to the next.
ENV CARGO_TARGET_DIR=/target SQLX_OFFLINE=true
COPY . .
# The commit that the metrics name; whoever builds says it.
ARG REVISION=
ENV FORECOURT_COMMIT=$REVISION
# cargo goes by the age of files, and what was copied may be older than the last build, of another branch say. The
# program is taken out in the same step: a cache is no part of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/target,id=forecourt-target,sharing=locked \
    find . -type f -exec touch {} + \
    && cargo build --release --locked --bin forecourt \
    && cp /target/release/forecourt /forecourt


FROM debian:bookworm-slim
# A fixed id, so that the owner of a mounted folder can be told in advance. No CA certificates: the roots that TLS to a
# Postgres is checked against are in the program.
RUN groupadd --gid 10001 forecourt \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/forecourt --shell /usr/sbin/nologin forecourt \
    && install -d -o 10001 -g 10001 -m 700 /var/lib/forecourt
COPY --from=build /forecourt /usr/local/bin/forecourt

# The file is named, so that one that is missing ends the start (status 78) and brings no demo configuration.
WORKDIR /etc/forecourt
ENV FORECOURT_CONFIG=/etc/forecourt/forecourt.toml FORECOURT_LISTEN=0.0.0.0:8080 FORECOURT_DATA_DIR=/var/lib/forecourt
USER 10001:10001
VOLUME /var/lib/forecourt
EXPOSE 8080
# Asks whether the process answers, not whether Postgres does: to start this container again would mend no Postgres.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["forecourt", "health"]
ENTRYPOINT ["forecourt"]

# The version is that of Cargo.toml; the revision is for whoever builds to say.
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="forecourt" \
    org.opencontainers.image.description="Receives Dealer Studio's webhooks and keeps people, bookings and listings in Postgres tables" \
    org.opencontainers.image.licenses="MIT OR Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
