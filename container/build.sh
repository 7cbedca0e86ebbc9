#!/usr/bin/env bash
# Build the image: container/build.sh [NAME[:TAG]], hstmosaic:<version> and, without a tag, hstmosaic if none is given. It
# says how large each layer is, and writes the list of contents (CycloneDX) to build/.
#
#   ENGINE       podman or docker; what is found when empty
#   BASE_IMAGE   Debian 12 to build on: debian:bookworm-slim
#   APT_SOURCES  file of apt sources (deb822) to use instead of the base image's  \
#   PIP_CONF     file: configuration of pip                                        } for machines behind a mirror
#   CA_BUNDLE    file: certificates that pip trusts                               /  or a certificate authority
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' src/hstmosaic/__init__.py)
name=${1:-hstmosaic:$version}
revision=$(git describe --always --abbrev=40 --dirty --exclude '*' 2> /dev/null || true)
engine=${ENGINE:-$(command -v podman || command -v docker || true)}
[ -n "$engine" ] || { echo "$0: neither podman nor docker found: install one, or name it with ENGINE=" >&2; exit 1; }

options=(--file container/Dockerfile)
[ -z "${BASE_IMAGE:-}" ] || options+=(--build-arg "BASE_IMAGE=$BASE_IMAGE")
secret() {
    [ -n "$2" ] || return 0
    [ -r "$2" ] || { echo "$0: $2 cannot be read: name another file, or none" >&2; exit 1; }
    options+=(--secret "id=$1,src=$2")
}
secret build.sources "${APT_SOURCES:-}"
secret pip.conf "${PIP_CONF:-}"
secret ca.crt "${CA_BUNDLE:-}"

mkdir -p build
"$engine" build "${options[@]}" --target listed --iidfile build/image.id .
digest=$(cat build/image.id)
"$engine" build "${options[@]}" --build-arg "NAME=$name" --build-arg "DIGEST=sha256:${digest#sha256:}" \
    --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --iidfile build/image.id --tag "$name" .
[ $# -gt 0 ] || "$engine" tag "$name" hstmosaic

"$engine" run --rm --entrypoint cat "$name" /opt/hstmosaic/sbom.cdx.json > build/.sbom.part
mv build/.sbom.part "build/hstmosaic-$version.cdx.json"
echo "$name: $(grep -c '"purl"' "build/hstmosaic-$version.cdx.json") packages, listed in build/hstmosaic-$version.cdx.json; layers:"
"$engine" history --format '{{.Size}}\t{{.CreatedBy}}' "$name" | grep -vE '^0 ?B' | cut -c 1-110
