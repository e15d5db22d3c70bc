#!/bin/sh
# Show that what tools/dist.sh makes of the last commit depends on nothing but
# that commit and Go: make it twice, elsewhere and as somebody else would, and
# compare every byte. ARCHS and PARTS make less, and so this quick.
set -eu
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

mkdir "$tmp/elsewhere"
git clone -q . "$tmp/one"
git clone -q . "$tmp/elsewhere/two"
"$tmp/one/tools/dist.sh" "$tmp/a" >/dev/null
(
  umask 077
  GOCACHE=$(go env GOCACHE) GOMODCACHE=$(go env GOMODCACHE) # those, not a HOME's
  export GOCACHE GOMODCACHE
  HOME=$tmp USER=other TZ=Pacific/Kiritimati "$tmp/elsewhere/two/tools/dist.sh" "$tmp/b" >/dev/null
)
if ! diff -r "$tmp/a" "$tmp/b"; then
  echo 'distcheck: two builds of one commit differ' >&2
  exit 1
fi
(cd "$tmp/a" && sha256sum -c --quiet SHA256SUMS)
cat "$tmp/a/SHA256SUMS"
