# Terraform and its docker provider, built from their sources in the registry of Go modules: nothing else that
# carries them is in a package registry. Sourced by tests/bench/run, after tests/engine.sh.
# shellcheck shell=bash

TERRAFORM_VERSION=1.11.4
TERRAFORM_MODULE=github.com/hashicorp/terraform@v$TERRAFORM_VERSION
PROVIDER_VERSION=v0.0.0-20260916201441-96d331c98ff4
PROVIDER_MODULE=github.com/kreuzwerker/terraform-provider-docker@$PROVIDER_VERSION
# The Go that both are built with, 1.MINOR at least.
RIVALS_GO=25

# Parts of Terraform that keep its state elsewhere are modules of their own, which the registry does not have.
# They are left out; nothing here uses them, and without them it starts sooner.
TERRAFORM_WITHOUT=(azure consul cos gcs kubernetes oss pg s3)

# ensure_terraform FOLDER GO_FOLDER: puts Terraform at FOLDER/terraform, with a mirror that holds the provider beside
# it. A Go toolchain that has to be fetched goes to GO_FOLDER.
ensure_terraform() {
    local folder=$1 go_folder=$2
    mkdir -p "$folder"
    folder=$(realpath "$folder")
    if [ ! -x "$folder/terraform" ]; then
        if terraform version 2> /dev/null | grep -qx "Terraform v$TERRAFORM_VERSION"; then
            ln -sf "$(realpath "$(command -v terraform)")" "$folder/terraform"
        else
            say "building Terraform $TERRAFORM_VERSION (2 minutes)"
            ensure_go "$go_folder" "$RIVALS_GO"
            build_terraform "$folder"
        fi
    fi
    local mirror=$folder/mirror/bench.local/kreuzwerker/docker/1.0.0
    if [ "$(cat "$folder/provider.version" 2> /dev/null)" != "$PROVIDER_VERSION" ]; then
        say "building Terraform's docker provider (3 minutes)"
        ensure_go "$go_folder" "$RIVALS_GO"
        build_provider "$folder" "$mirror"
        echo "$PROVIDER_VERSION" > "$folder/provider.version"
    fi
    printf 'provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' \
        "$folder/mirror" > "$folder/terraformrc"
}

build_terraform() {
    local folder=$1 part words=()
    sources "$TERRAFORM_MODULE" "$folder/source"
    for part in "${TERRAFORM_WITHOUT[@]/#/backend/remote-state/}" legacy; do
        words+=("-droprequire=github.com/hashicorp/terraform/internal/$part")
        words+=("-dropreplace=github.com/hashicorp/terraform/internal/$part")
    done
    (
        cd "$folder/source"
        local names
        names=$(IFS='|' && echo "${TERRAFORM_WITHOUT[*]}")
        # The import of each, and the line that names it: backendPg.New() for pg.
        sed -E -i "/remote-state\/($names)\"/d; /backend($names)\.New\(\)/Id" internal/backend/init/init.go
        # A setting of a Go that knew an experiment.
        sed -i '/^godebug tlskyber=/d' go.mod
        go_build "${words[@]}" -- "$folder/terraform" -X github.com/hashicorp/terraform/version.dev=no
    )
    rm -rf "$folder/source"
}

build_provider() {
    local folder=$1 mirror=$2
    sources "$PROVIDER_MODULE" "$folder/source"
    (
        cd "$folder/source"
        go_build -- "$folder/provider"
    )
    mirror=$mirror/linux_$(go env GOARCH)
    mkdir -p "$mirror"
    mv "$folder/provider" "$mirror/terraform-provider-docker_v1.0.0"
    rm -rf "$folder/source"
}

# sources MODULE@VERSION FOLDER: puts the sources of a module into FOLDER, so that they build as the main module.
sources() {
    local found
    found=$(cd / && GOTOOLCHAIN=local GOWORK=off go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    [ -n "$found" ] || die "the registry of Go modules does not give $1"
    rm -rf "$2"
    cp -r "$found" "$2"
    chmod -R u+w "$2"
}

# go_build [WORD OF go mod edit]... -- PROGRAM [WORD FOR THE LINKER]...: builds the module here.
go_build() {
    local edits=()
    while [ "$1" != -- ]; do
        edits+=("$1")
        shift
    done
    local program=$2
    shift 2
    export GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false -mod=mod"
    [ ${#edits[@]} = 0 ] || go mod edit "${edits[@]}"
    go build -ldflags "-s -w $*" -o "$program.part" .
    mv "$program.part" "$program"
}
