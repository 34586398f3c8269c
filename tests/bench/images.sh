# Builds the images of the benchmark, where they are not there yet. Sourced by tests/bench/run, after
# tests/engine.sh; every contender runs these same images.
# shellcheck shell=bash

# ensure_bench_images FOLDER: builds them from FOLDER, which is tests/bench.
ensure_bench_images() {
    local folder=$1
    ensure_base_image
    ensure_service_image "$folder/service" 1
    ensure_service_image "$folder/service" 2
    ensure_redis_image "$folder/redis"
}

# Prints what the image that is there was built from, in one word; nothing where there is none.
built_from() { docker image inspect --format '{{index .Config.Labels "bench.source"}}' "$1" 2> /dev/null || true; }

# Prints what the files say, in one word.
source_of() { cat "$@" | sha256sum | cut -c1-16; }

# The static program in an image of its own. The tags differ in nothing but a label, and so in their ids.
ensure_service_image() {
    local folder=$1 tag=$2 image=nself-bench/service:$2 source
    source=$(source_of "$folder/service.c" "$folder/Dockerfile")
    [ "$(built_from "$image")" = "$source" ] && return
    need cc gcc libc6-dev
    say "building $image"
    local context
    context=$(mktemp -d)
    cc -O2 -Wall -static -s -o "$context/service" "$folder/service.c"
    cp "$folder/Dockerfile" "$context/"
    docker build --quiet --label "bench.source=$source" --label "bench.tag=$tag" --tag "$image" "$context" > /dev/null
    rm -r "$context"
}

ensure_redis_image() {
    local folder=$1 image=nself-bench/redis:7 source
    source=$(source_of "$folder/Dockerfile")
    [ "$(built_from "$image")" = "$source" ] && return
    say "building $image (15 s, 3 MB to download)"
    docker build --quiet --label "bench.source=$source" --tag "$image" "$folder" > /dev/null
}
