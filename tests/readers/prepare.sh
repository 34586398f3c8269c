# Brings the independent readers of our outputs into target/readers, once. Sourced by tests/run, after
# tests/engine.sh.
# shellcheck shell=bash

# The crate whose sources carry the official JSON schema of SARIF 2.1.0. It is fetched and never built.
SARIF_CRATE=serde-sarif
SARIF_VERSION=0.8.0

# ensure_readers FOLDER: makes sure that the readers are in FOLDER.
ensure_readers() {
    local folder=$1
    mkdir -p "$folder"
    need dot graphviz
    ensure_sarif_schema "$folder"
    ensure_terraform_reader "$folder"
}

# Makes sure that the official schema of SARIF is there.
ensure_sarif_schema() {
    local schema=$1/sarif.schema.json scratch=$1/sarif found
    [ -s "$schema" ] && return
    say "fetching the schema of SARIF (a few seconds)"
    mkdir -p "$scratch"
    printf '[package]\nname = "scratch"\nversion = "0.0.0"\n[lib]\npath = "lib.rs"\n[workspace]\n[dependencies]\n%s = "=%s"\n' \
        "$SARIF_CRATE" "$SARIF_VERSION" > "$scratch/Cargo.toml"
    : > "$scratch/lib.rs"
    cargo fetch --quiet --manifest-path "$scratch/Cargo.toml" ||
        die "the schema of SARIF cannot be had: the crate $SARIF_CRATE $SARIF_VERSION could not be fetched"
    found=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" \
        -path "*/$SARIF_CRATE-$SARIF_VERSION/src/schema.json" -print -quit)
    [ -n "$found" ] || die "the crate $SARIF_CRATE $SARIF_VERSION does not carry the schema of SARIF"
    cp "$found" "$schema.part" && mv "$schema.part" "$schema"
}

# Makes sure that the reader of Terraform's plans is built.
ensure_terraform_reader() {
    local folder source=tests/readers/terraform
    folder=$(realpath "$1")
    [ -x "$folder/terraform" ] && [ -z "$(find "$source" -newer "$folder/terraform" -print -quit)" ] && return
    ensure_go "$folder"
    say "building the reader of Terraform's plans (half a minute)"
    # Another toolchain than the one that is there is not fetched.
    (cd "$source" && GOTOOLCHAIN=local GOFLAGS=-mod=readonly go build -o "$folder/terraform" .) ||
        die "the reader of Terraform's plans cannot be built; it needs Go and modules from its registry"
}
