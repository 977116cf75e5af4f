#!/usr/bin/env bash
# Makes the Dockerfile's two bases from Debian's packages, where no registry has them to offer:
#
#   image/bases.sh FOLDER ARCHITECTURE...
#
#   FOLDER/build              what the first stage runs in, on this machine: Python with venv, a shell, a few tools
#   FOLDER/base-ARCHITECTURE  what podgate runs in: Python and what it links with; no shell, no package manager
#
# Packages are unpacked and none of their scripts is run, so that a foreign architecture needs no emulation. It needs
# root, mmdebstrap, and a mirror (DEBIAN_MIRROR, DEBIAN_SECURITY, DEBIAN_SUITE); PYTHON_VERSION is what the suite has.
set -euo pipefail

: "${DEBIAN_SUITE:=trixie}" "${PYTHON_VERSION:=3.13}" "${SOURCE_DATE_EPOCH:?in seconds since 1970}"
: "${DEBIAN_MIRROR:=http://deb.debian.org/debian}" "${DEBIAN_SECURITY:=http://deb.debian.org/debian-security}"
export SOURCE_DATE_EPOCH
umask 022
folder=$1
shift
mkdir -p "$folder"
native=$(dpkg --print-architecture)
build=$folder/build
python=python$PYTHON_VERSION

# unpack ROOT ARCHITECTURE PACKAGES: the packages, what they depend on, and a description of each, which scanners read.
unpack() {
  rm -rf "$1"
  # shellcheck disable=SC2016 # the hook is a program of its own, and $1 the folder that mmdebstrap hands to it
  mmdebstrap --quiet --variant=extract --mode=root --format=directory --architectures="$2" --include="$3" \
    --aptopt='APT::Install-Recommends "0"' \
    --extract-hook='mkdir -p "$1/var/lib/dpkg/status.d" && for package in "$1"/var/cache/apt/archives/*.deb; do
      dpkg-deb --field "$package" >"$1/var/lib/dpkg/status.d/$(dpkg-deb --field "$package" Package)"; done' \
    "$DEBIAN_SUITE" "$1" "deb $DEBIAN_MIRROR $DEBIAN_SUITE main" "deb $DEBIAN_MIRROR $DEBIAN_SUITE-updates main" \
    "deb $DEBIAN_SECURITY $DEBIAN_SUITE-security main"
  # What scripts of packages and mmdebstrap's own merging of /usr would have done.
  local each
  for each in bin sbin lib lib64; do
    mkdir -p "$1/usr/$each"
    ln -sfn "usr/$each" "$1/$each"
  done
  ln -sfn "$python" "$1/usr/bin/python3"
  mkdir -p "$1/etc/ssl/certs" "$1/root" "$1/home/nonroot" "$1/proc" "$1/sys"
  chown 65532:65532 "$1/home/nonroot"
  chmod 700 "$1/home/nonroot"
  chmod 1777 "$1/tmp"
  printf '%s\n' 'root:x:0:0:root:/root:/sbin/nologin' 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' \
    >"$1/etc/passwd"
  printf '%s\n' 'root:x:0:' 'nonroot:x:65532:' >"$1/etc/group"
  # Without this file the C library asks DNS before it reads /etc/hosts.
  echo 'hosts: files dns' >"$1/etc/nsswitch.conf"
  # What is the machine's, or differs from run to run.
  rm -rf "$1"/etc/{apt,hostname,resolv.conf,fstab} "$1"/var/cache/* "$1"/var/log/* "${1:?}/dev"
  mkdir -p "$1/dev"
}

# A container's root cannot be written to: without bytecode every start would compile the standard library anew. The
# bytecode is the same for every architecture, and made by this machine's.
compile() {
  local library=usr/lib/$python
  cp -a "$1/$library" "$build/library"
  chroot "$build" "/usr/bin/$python" -m compileall -f -q --invalidation-mode unchecked-hash -s /library -p "/$library" /library
  cp -a "$build/library/." "$1/$library"
  rm -rf "$build/library"
}

# prune ROOT: nothing is left but Python, the libraries, certificates, time zones and licences.
prune() {
  find "$1/usr/bin" -mindepth 1 ! -name "python3*" -delete
  rm -rf "$1"/usr/sbin/* "$1"/etc/{dpkg,debconf.conf,ethertypes} "$1"/var/lib/dpkg/status.d/debconf
  find "$1/var/lib/dpkg" -mindepth 1 -maxdepth 1 ! -name status.d -exec rm -rf {} +
  find "$1/var/lib" -mindepth 1 -maxdepth 1 ! -name dpkg -exec rm -rf {} +
  find "$1/usr/share" -mindepth 1 -maxdepth 1 ! -name doc ! -name zoneinfo -exec rm -rf {} +
  find "$1/usr/share/doc" ! -type d ! -name copyright -delete
  find "$1/usr/share/doc" -type d -empty -delete
  rm -rf "$1/usr/lib/$python"/{ensurepip,idlelib,lib2to3,pydoc_data,test,tkinter,turtledemo}
}

unpack "$build" "$native" "$python-venv,ca-certificates,base-files,dash,coreutils,findutils"
find "$build/usr/share/ca-certificates" -name '*.crt' | LC_ALL=C sort | xargs cat >"$build/etc/ssl/certs/ca-certificates.crt"
for architecture in "$@"; do
  base=$folder/base-$architecture
  unpack "$base" "$architecture" "$python,netbase"
  prune "$base"
  compile "$base"
  cp "$build/etc/ssl/certs/ca-certificates.crt" "$base/etc/ssl/certs/"
  cp "$build/usr/lib/os-release" "$base/usr/lib/os-release"
  ln -s ../usr/lib/os-release "$base/etc/os-release"
done
