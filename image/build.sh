#!/usr/bin/env bash
# Builds the image for each platform, and an index of them, as an OCI layout. `make image` runs it.
#
#   image/build.sh FOLDER      FOLDER/podgate is the layout; its digest is printed
#
# Variables:
#   PLATFORMS          linux/amd64,linux/arm64 by default; what runs while building is for this machine alone
#   BASE, BUILD_BASE   images to build on. Without them both are made from Debian's packages (image/bases.sh).
#   BASE_PYTHON        where BASE has its Python: /usr/bin/python3 (make's PYTHON is this machine's)
#   SOURCE_DATE_EPOCH  the time of everything in it, in seconds since 1970: that of the last commit by default
#
# It needs buildah and, to make the bases, root and mmdebstrap. The registry of Python packages is reached as on this
# machine: with its certificates, its pip and uv variables.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "image: $*" >&2; exit 1; }
command -v buildah >/dev/null || die "there is no buildah (Debian: apt-get install buildah); docker build works too"

mkdir -p "$1"
folder=$(cd "$1" && pwd)
platforms=${PLATFORMS:-linux/amd64,linux/arm64}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
revision=$(git rev-parse HEAD 2>/dev/null || true)
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || echo 0)}" "${BASE_PYTHON:=/usr/bin/python3}"
export SOURCE_DATE_EPOCH
created=$(date --utc --date="@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)

# Storage of its own, without overlays, and RUN by chroot: what works in a container too.
storage=$(mktemp -d "$folder/storage.XXXXXX")
trap 'rm -rf "$storage"' EXIT
export BUILDAH_ISOLATION=chroot TMPDIR=$storage
buildah() { command buildah --root "$storage/root" --runroot "$storage/run" --storage-driver vfs "$@"; }

# base NAME FOLDER ARCHITECTURE: an image of one layer, the folder.
base() {
  local container
  container=$(buildah from --platform "linux/$3" scratch)
  buildah copy --quiet "$container" "$2" / >/dev/null
  buildah config --os linux --arch "$3" "$container"
  buildah commit --quiet --timestamp "$SOURCE_DATE_EPOCH" --rm "$container" "$1" >/dev/null
}

case $(uname -m) in
  x86_64) native=amd64 ;;
  aarch64) native=arm64 ;;
  *) die "no image can be built on $(uname -m)" ;;
esac
architectures=()
for platform in ${platforms//,/ }; do
  [[ $platform == linux/* ]] || die "PLATFORMS: $platform is none of linux/amd64, linux/arm64"
  architectures+=("${platform#linux/}")
done
[ -n "${BASE:-}" ] && [ -n "${BUILD_BASE:-}" ] || [ -z "${BASE:-}${BUILD_BASE:-}" ] ||
  die "BASE and BUILD_BASE go together: they must have the same Python"
if [ -z "${BASE:-}" ]; then
  [ "$(id -u)" -eq 0 ] || die "only root can make bases: name some by BASE and BUILD_BASE"
  command -v mmdebstrap >/dev/null || die "there is no mmdebstrap to make bases with (Debian: apt-get install mmdebstrap)"
  echo "image: making bases from Debian's packages" >&2
  image/bases.sh "$storage/bases" "${architectures[@]}"
  base localhost/build "$storage/bases/build" "$native"
  for architecture in "${architectures[@]}"; do
    base "localhost/base:$architecture" "$storage/bases/base-$architecture" "$architecture"
  done
  rm -rf "$storage/bases"
fi

# What this machine needs to reach the registry of Python packages; the image keeps nothing of it.
secrets=()
secret() { if [ -r "$2" ]; then secrets+=(--secret "id=$1,src=$2"); fi; }
secret certificates "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}"
secret pip /etc/pip.conf
secret uv /etc/uv/uv.toml

buildah manifest create podgate >/dev/null
for architecture in "${architectures[@]}"; do
  echo "image: building for linux/$architecture" >&2
  buildah build --quiet --format oci --platform "linux/$architecture" --timestamp "$SOURCE_DATE_EPOCH" --layers=false \
    --build-arg BUILDPLATFORM="linux/$native" --build-arg SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" \
    --build-arg BUILD_BASE="${BUILD_BASE:-localhost/build}" --build-arg BASE="${BASE:-localhost/base:$architecture}" \
    --build-arg PYTHON="$BASE_PYTHON" --build-arg VERSION="$version" --build-arg REVISION="$revision" \
    --build-arg CREATED="$created" "${secrets[@]}" --tag "podgate:$architecture" . >&2
  buildah manifest add podgate "podgate:$architecture" >/dev/null
done
rm -rf "$folder/podgate"
buildah manifest push --quiet --all --format oci podgate "oci:$folder/podgate:$version" >/dev/null
sed 's/.*"digest":"\(sha256:[0-9a-f]*\)".*/\1/' "$folder/podgate/index.json"
