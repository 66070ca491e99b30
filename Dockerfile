# The service alone, to be run beside a Postgres: see docker-compose.yml.

FROM rust:1.95-bookworm AS build
WORKDIR /build
ENV SQLX_OFFLINE=true

# The dependencies are a layer of their own, built anew only when they change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && touch src/lib.rs && echo 'fn main() {}' > src/main.rs \
    && cargo build --release --locked \
    && rm -r src

# The copied files are older than what was just built, and cargo goes by that.
COPY . .
RUN touch src/lib.rs src/main.rs && cargo build --release --locked


FROM debian:bookworm-slim
# A fixed id, so that the owner of a mounted folder can be told in advance. No CA certificates: the roots that TLS to a
# Postgres is checked against are in the program.
RUN groupadd --gid 10001 forecourt \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/forecourt --shell /usr/sbin/nologin forecourt \
    && install -d -o 10001 -g 10001 -m 700 /var/lib/forecourt
COPY --from=build /build/target/release/forecourt /usr/local/bin/forecourt

# forecourt.toml is looked for here; without one the demo configuration is used.
WORKDIR /etc/forecourt
ENV FORECOURT_LISTEN=0.0.0.0:8080 FORECOURT_DATA_DIR=/var/lib/forecourt
USER 10001:10001
VOLUME /var/lib/forecourt
EXPOSE 8080
# Asks whether the process answers, not whether Postgres does: to start this container again would mend no Postgres.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["bash", "-c", "exec 3<>\"/dev/tcp/127.0.0.1/${FORECOURT_LISTEN##*:}\" && printf 'GET /livez HTTP/1.0\\r\\n\\r\\n' >&3 && read -r status <&3 && [[ $status == *' 200 '* ]]"]
ENTRYPOINT ["forecourt"]
