# Shortcuts; plain cargo does everything as well.

# Run the service
run:
    cargo run

# Post the documented examples to it
send:
    cargo run -- send

# Test everything
test:
    cargo test

# Show what outages cost, for half an hour; FORECOURT_CHAOS is `long` or the seconds of the longest outage
chaos:
    FORECOURT_CHAOS=long cargo test --release --test chaos

# Format the sources
fmt:
    cargo fmt

# Lint, as CI does
lint:
    cargo clippy --all-targets -- -D warnings

# Accept the changed snapshots of the last test run
snapshots:
    INSTA_UPDATE=always cargo test

# Renew the offline query cache after a change of a query or a migration
queries:
    scripts/prepare-queries

# Look at the dependencies (cargo install cargo-deny cargo-machete)
deps:
    cargo deny check
    cargo machete

# Prove without an engine that what the Dockerfile copies is enough to build it
image:
    scripts/check-image

# Everything that CI does
ci:
    .ci/run

# The service and its Postgres in containers
up:
    docker compose up --build
