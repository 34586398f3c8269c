# What the examples that run have in common. Sourced by their `run`, after tests/engine.sh.
# shellcheck shell=bash

# Builds nself from this very checkout; its path is in $nself then.
build_nself() {
    local cargo=cargo
    command -v cargo > /dev/null || cargo=$HOME/.cargo/bin/cargo
    [ -x "$(command -v "$cargo")" ] || die "no cargo: install a Rust toolchain first"
    need cc gcc libc6-dev
    say "building nself (about 3 minutes the first time)"
    (cd "$root" && "$cargo" build --release --quiet --bin nself)
    # shellcheck disable=SC2034
    nself=${CARGO_TARGET_DIR:-$root/target}/release/nself
}

# free_port WANTED ELSE [ADDRESS]: prints the first of the two at which nobody answers, or a later one.
free_port() {
    local port=$1
    while (exec 3<> "/dev/tcp/${3:-127.0.0.1}/$port") 2> /dev/null; do
        if [ "$port" = "$1" ]; then port=$2; else port=$((port + 1)); fi
    done
    echo "$port"
}

# Prints the settings of [images] that are right for this machine: where no image registry answers, images are
# made from package registries.
image_settings() {
    local source=build bundle
    if pull_base_image >&2; then source=registry; fi
    bundle=$(ca_bundle)
    echo "[images]"
    echo "source = \"$source\""
    if [ "$source" = build ] && [ -n "$bundle" ]; then echo "ca_bundle = \"$bundle\""; fi
}

# found WHAT TEXT: one line of what was seen.
found() { printf '    %-28s %s\n' "$1" "$2"; }

# expect WHAT PATTERN TEXT: the text matches, or all is lost.
expect() {
    [[ $3 =~ $2 ]] || die "$1: expected $2, got: $3"
    found "$1" "${BASH_REMATCH[0]}"
}

# eventually WHAT PATTERN COMMAND...: the command prints something that matches within 30 s.
eventually() {
    local what=$1 pattern=$2 until=$((SECONDS + 30)) text=''
    shift 2
    while [ "$SECONDS" -le "$until" ]; do
        text=$("$@" 2>&1) || true
        if [[ $text =~ $pattern ]]; then
            found "$what" "${BASH_REMATCH[0]}"
            return
        fi
        sleep 0.2
    done
    die "$what: expected $pattern, got: $text"
}

# end PID: asks a process that was started here to end, and waits until it has.
end() {
    [ -n "$1" ] || return 0
    kill -TERM "$1" 2> /dev/null || true
    wait "$1" 2> /dev/null || true
}
