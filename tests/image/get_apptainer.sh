#!/usr/bin/env bash
# get_apptainer.sh PREFIX: Apptainer for tests in PREFIX/bin, without touching what is installed.
#
# Debian has it in sid only. Its packages are unpacked, not installed, with the libraries of sid beside them: every program
# gets the dynamic linker and the library path of PREFIX. Needs patchelf; ordinary users need uidmap and /dev/fuse besides.
set -euo pipefail
prefix=${1:?usage: $0 PREFIX}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An apt of our own that knows sid and believes that nothing is installed.
uri=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources | head -n 1)
mkdir -p "$work"/{lists,cache,debs}/partial
: > "$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri sid main" > "$work/sources.list"
apt=(apt-get -qq -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
     -o Dir::Etc::PreferencesParts=/dev/null -o "Dir::State::Lists=$work/lists" -o "Dir::State::status=$work/status"
     -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root -o APT::Install-Recommends=false)
"${apt[@]}" update
mapfile -t packages < <("${apt[@]}" -s install apptainer squashfuse | awk '/^Inst/ {print $2}' |
    grep -E '^(apptainer|squashfuse|squashfs-tools|fuse3|lib(c6|gcc-s1|fuse|seccomp|subid|lz|zstd|selinux|pcre2|audit|cap|crypt|acl|attr|bsd|md).*|zlib1g)$')
(cd "$work/debs" && "${apt[@]}" download "${packages[@]}" > /dev/null)
for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/root"; done

# Apptainer looks for what it needs relative to where its starter lies, PREFIX/lib.
rm -rf "$prefix"
mkdir -p "$(dirname "$prefix")"
mv "$work/root/usr" "$prefix"
mv "$work/root/etc" "$prefix/etc"
mkdir -p "$prefix/var/lib/apptainer/mnt/session"
for name in etc var bin; do ln -s "../$name" "$prefix/lib/$name"; done
ln -s . "$prefix/lib/lib"
rm -rf "$prefix"/{sbin,share,include}
libraries=$prefix/lib/$(uname -m)-linux-gnu
for program in "$prefix"/bin/* "$libraries/apptainer/bin/starter"; do
    [ "$(head -c 4 "$program" | tail -c 3)" = ELF ] || continue
    patchelf --set-interpreter "$libraries/ld-linux-x86-64.so.2" --force-rpath --set-rpath "$libraries" "$program"
done

# Where root has not all capabilities, containers of root get those that it has.
sed -i 's/^root default capabilities *=.*/root default capabilities = file/' \
    "$prefix/etc/apptainer/apptainer.conf"
python3 - "$prefix/etc/apptainer/capability.json" << 'PYTHON'
import json
import sys

NAMES = """chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service
net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot
sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog
wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore""".split()
with open("/proc/self/status") as status:
    permitted = next(int(line.split()[1], 16) for line in status if line.startswith("CapPrm"))
have = ["CAP_" + name.upper() for bit, name in enumerate(NAMES) if permitted >> bit & 1]
with open(sys.argv[1], "w") as file:
    json.dump({"users": {"root": have}}, file)
PYTHON
"$prefix/bin/apptainer" --version
