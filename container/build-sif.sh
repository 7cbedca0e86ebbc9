#!/usr/bin/env bash
# Make build/hstmosaic.sif for Apptainer out of the image, and test it: container/build-sif.sh [IMAGE]
#
#   ENGINE        podman or docker, which has the image; what is found when empty
#   ARCHIVE       archive of the image (podman save, docker save) to use, so that neither of them is needed
#   SIF           another file than build/hstmosaic.sif
#   SIF_OPTIONS   options of apptainer build, such as --mksquashfs-args "-comp zstd": smaller, for kernels since 4.14
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' src/hstmosaic/__init__.py)
image=${1:-hstmosaic:$version}
sif=${SIF:-build/hstmosaic.sif}
command -v apptainer > /dev/null || { echo "$0: apptainer not found" >&2; exit 1; }

mkdir -p build
trap 'rm -f "build/.hstmosaic-$$.tar" "$sif.part"' EXIT
archive=${ARCHIVE:-}
if [ -z "$archive" ]; then
    engine=${ENGINE:-$(command -v podman || command -v docker || true)}
    [ -n "$engine" ] || { echo "$0: neither podman nor docker found: install one, or name it with ENGINE=" >&2; exit 1; }
    archive=build/.hstmosaic-$$.tar
    "$engine" save --output "$archive" "$image"
fi
options=()
eval "options=(${SIF_OPTIONS:-})"
apptainer build --force --notest "${options[@]}" --build-arg "FROM=$archive" "$sif.part" container/hstmosaic.def
apptainer test "$sif.part"
mv "$sif.part" "$sif"
ls -sh "$sif"
