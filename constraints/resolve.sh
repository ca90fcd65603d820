#!/usr/bin/env bash
# What `crl-data[train,vllm,lora,deepspeed]` is on a machine with CUDA: constraints/cuda.txt, resolved from metadata alone.
#
#     constraints/resolve.sh              fails, with the difference, where the file no longer holds
#     constraints/resolve.sh --write      writes it anew: what still holds is kept
#     constraints/resolve.sh --upgrade    writes it anew from the newest releases that fit
#
# It holds as long as the ranges of pyproject.toml allow every release in it and need no other, and none was withdrawn; a newer
# release elsewhere changes nothing. Needs uv. Nothing is installed and no wheel fetched; of deepspeed, which is published as
# source alone, the source is fetched and its metadata read. All else has a wheel for x86_64 with glibc 2.31 or newer.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=${1:---check}
command=(uv pip compile pyproject.toml --extra train --extra vllm --extra lora --extra deepspeed
    --universal --python-version 3.11 --no-annotate)
command -v uv >/dev/null || { echo "constraints/resolve.sh: expected uv, got none: pip install uv" >&2; exit 2; }

resolve() { # into a file, which says what is to be kept where it is there already
    "${command[@]}" --custom-compile-command "${command[*]} -o constraints/cuda.txt" --quiet -o "$@" >/dev/null
}

case $mode in
    --check)
        scratch=$(mktemp -d)
        trap 'rm -rf "$scratch"' EXIT
        cp constraints/cuda.txt "$scratch/cuda.txt"
        resolve "$scratch/cuda.txt"
        if ! diff -u constraints/cuda.txt "$scratch/cuda.txt" >"$scratch/difference"; then
            cat "$scratch/difference"
            echo "constraints/cuda.txt no longer holds: see the difference; constraints/resolve.sh --write writes it anew" >&2
            exit 1
        fi
        echo "constraints/cuda.txt holds: $(grep -c == constraints/cuda.txt) releases"
        ;;
    --write) resolve constraints/cuda.txt ;;
    --upgrade) resolve constraints/cuda.txt --upgrade ;;
    *) echo "constraints/resolve.sh: expected --check, --write or --upgrade, got $mode" >&2; exit 2 ;;
esac
