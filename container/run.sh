#!/usr/bin/env bash
# Run hstmosaic in its image as the user who calls, with every path the same inside:
#
#   container/run.sh IMAGE VERB ...
#
# IMAGE is a .sif file or a sandbox directory (Apptainer), or the name of an image (podman or docker; ENGINE= names one).
# Seen inside are the current directory, those of the files among the arguments, and those of the exposures in a list;
# BIND="/data /scratch" names more.
set -euo pipefail
shopt -s globstar
[ $# -ge 2 ] || { echo "usage: $0 IMAGE VERB ..." >&2; exit 2; }
image=$1; shift
export PYTHONSAFEPATH=1 # Python imports nothing from the current directory

expand() { # ~ and $VARIABLES of a name, as hstmosaic does, into REPLY
    local rest=$1 name
    case $rest in \~ | \~/*) rest=$HOME${rest#\~} ;; esac
    REPLY=
    while [[ $rest =~ ^([^$]*)(\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?)(.*)$ ]]; do
        name=${BASH_REMATCH[3]}
        REPLY+=${BASH_REMATCH[1]}${!name-${BASH_REMATCH[2]}}
        rest=${BASH_REMATCH[4]}
    done
    REPLY+=$rest
}
found() { # what a name or a pattern stands for
    if [ -e "$1" ]; then echo "$1"; else compgen -G "$1" || echo "$1"; fi
}
wanted() { # files, and folders with /. behind, one a line
    local argument parent
    local folders
    read -ra folders <<< "${BIND:-}"
    printf '%s/.\n' "$PWD" "${folders[@]}"
    for argument in "$@"; do
        argument=${argument#--*=}
        expand "${argument#@}"; argument=$REPLY
        if [ -d "$argument" ]; then printf '%s/.\n' "$argument"; continue; fi
        case $argument in *.fits\[*\]) [ -e "$argument" ] || argument=${argument%\[*} ;; esac # FILE[EXTENSION]
        case $argument in
            *.fits | *.ecsv | *.csv | *.xml | *.vot | *.yaml | *.yml | *.json | *.toml | *.asdf) found "$argument" ;;
            */*) # a list, or what is still to be made
                parent=$argument; while [ ! -e "$parent" ]; do parent=$(dirname -- "$parent"); done
                if [ -d "$parent" ]; then printf '%s/.\n' "$parent"; else echo "$argument"; names "$argument"; fi ;;
            *) if [ -f "$argument" ]; then echo "$argument"; names "$argument"; fi ;;
        esac
    done
}
names() { # of the exposures in a list
    local line folder
    folder=$(dirname -- "$1")
    tr -d '\r"'\' < "$1" | sed '1s/^\xEF\xBB\xBF//; s/\(^\|[[:space:]]\)#.*//; s/^[[:space:]]*//; s/[[:space:]]*$//; /^$/d' |
        while read -r line; do
            expand "$line"
            case $REPLY in /*) found "$REPLY" ;; *) found "$folder/$REPLY" ;; esac
        done
}

# Where a link lies, and where it leads. What lies in another of them needs no mention of its own.
binds=()
paths=$(wanted "$@" | sort -u)
while read -r folder; do
    if [ ! -d "$folder" ] || [ "$folder" = / ]; then continue; fi
    for other in "${binds[@]}"; do case $folder/ in "$other"/*) continue 2 ;; esac; done
    binds+=("$folder")
done < <({ xargs -r -d '\n' realpath -sm -- <<< "$paths"; xargs -r -d '\n' realpath -m -- <<< "$paths"; } |
         while read -r path; do if [ -d "$path" ]; then echo "$path"; else dirname -- "$path"; fi; done | sort -u)

cannot_be_seen() { echo "$0: $1 cannot be seen in an image, because of the $2 in its name: use another path" >&2; exit 1; }
options=()
if [ -e "$image" ]; then
    for folder in "${binds[@]}"; do
        case $folder in *:*) cannot_be_seen "$folder" colon ;; *,*) cannot_be_seen "$folder" comma ;; esac
        options+=(--bind "$folder")
    done
    exec apptainer exec "${options[@]}" --pwd "$PWD" "$image" hstmosaic "$@"
fi
case $image in *.sif | /* | ./* | ../*) echo "$0: $image: there is no such file" >&2; exit 1 ;; esac
engine=${ENGINE:-$(command -v podman || command -v docker || true)}
[ -n "$engine" ] || { echo "$0: $image is no file, and neither podman nor docker is found" >&2; exit 1; }
for folder in "${binds[@]}"; do
    case $folder in *:*) cannot_be_seen "$folder" colon ;; esac
    options+=(--volume "$folder:$folder")
done
case ${engine##*/} in podman)
    options+=(--security-opt label=disable)
    [ "$(id -u)" = 0 ] || options+=(--userns=keep-id) ;;
esac
exec "$engine" run --rm --read-only --tmpfs /tmp --env PYTHONSAFEPATH=1 --workdir "$PWD" --user "$(id -u):$(id -g)" "${options[@]}" "$image" "$@"
