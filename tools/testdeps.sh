#!/bin/sh
# Real parts that tests need, from Debian's packages, where they are not
# there and can be installed. Tests that lack one are skipped, loudly.
set -u

missing=''
command -v chromium >/dev/null || missing="$missing chromium fonts-dejavu-core fonts-liberation"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086 # names of packages
  apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null && exit 0
fi
echo "NOTE: not here and cannot be installed:$missing. Tests that need them will be skipped." >&2
