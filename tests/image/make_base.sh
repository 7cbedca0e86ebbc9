#!/usr/bin/env bash
# make_base.sh FILE.tar: a root file system like that of debian:bookworm-slim, from this machine's own apt sources.
# Needs mmdebstrap and root. Where the packages came from is not in the result.
set -euo pipefail
# shellcheck disable=SC2016 # mmdebstrap's own shell gets the directory as $1
hook='rm -rf "$1"/etc/apt/sources.list* "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/log/*; mkdir "$1"/etc/apt/sources.list.d'
exec mmdebstrap --quiet --mode=root --variant=minbase --skip=output/dev \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --customize-hook="$hook" bookworm "${1:?usage: $0 FILE.tar}" /etc/apt/sources.list.d/debian.sources
