#!/bin/sh
# Real parts that tests need: packages of Debian, a Docker Engine that runs,
# and MinIO, built once. What is not there and can be had, is made so; for what
# cannot, a NOTE is printed, and tests that need it are skipped, loudly.
set -u

minio=github.com/minio/minio@v0.0.0-20250907161309-07c3a429bfed # RELEASE.2025-09-07T16-13-09Z
cache=${XDG_CACHE_HOME:-$HOME/.cache}/xtci-test

note() { echo "NOTE: $*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# install PACKAGE...: each is tried, whatever becomes of the others
install() {
  if [ "$(id -u)" != 0 ] || ! have apt-get; then
    note "not here and cannot be installed: $*. Tests that need them will be skipped."
    return 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || true
  apt-get install -y -qq --no-install-recommends "$@" >/dev/null && return
  for package; do
    apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
      note "cannot be installed: $package. Tests that need it will be skipped."
  done
}

packages() {
  set --
  have chromium || set -- "$@" chromium fonts-dejavu-core fonts-liberation
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || set -- "$@" postgresql
  have git || set -- "$@" git
  have shellcheck || set -- "$@" shellcheck
  have ip || set -- "$@" iproute2
  have busybox || set -- "$@" busybox-static
  have dockerd || set -- "$@" docker.io
  have docker || set -- "$@" docker.io
  registry=yes
  have docker-registry || { registry=new && set -- "$@" docker-registry; }
  [ $# = 0 ] || install "$@"
  # since Debian 13 the command is a package of its own
  if have dockerd && ! have docker; then install docker-cli; fi
  # tests start registries of their own; the package starts one on port 5000
  if [ $registry = new ] && [ -d /run/systemd/system ]; then
    systemctl disable --now --quiet docker-registry || true
  fi
}

# engine starts Docker, if it is here and does not run.
engine() {
  have docker || return 0
  docker info >/dev/null 2>&1 && return
  if [ "$(id -u)" != 0 ] || ! have dockerd; then
    note "no Docker Engine that this user may use: $(docker info 2>&1 | tail -n 1). Tests that need it will be skipped."
    return 0
  fi
  log=/var/log/dockerd.log
  if [ -d /run/systemd/system ]; then
    log='journalctl -u docker'
    systemctl start docker
  else
    echo "starting Docker Engine, which stays: its log is in $log"
    setsid nohup dockerd </dev/null >>"$log" 2>&1 &
  fi
  tries=0
  until docker info >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ $tries -gt 60 ]; then
      note "Docker Engine did not start within a minute (see $log). Tests that need it will be skipped."
      return 0
    fi
    sleep 1
  done
}

# store builds the object store's server, unless it is there.
store() {
  if [ -x "$cache/minio" ] || have minio; then return; fi
  if ! have go; then
    note "no go command, and so no MinIO. Tests that need it will be skipped."
    return
  fi
  echo "building MinIO, once: this takes 4 to 10 minutes, and is kept in $cache"
  new=$cache/new.$$
  mkdir -p "$new"
  # from a folder without a module, and never a binary for another machine
  if (cd "$new" && CGO_ENABLED=0 GOFLAGS='' GOOS='' GOARCH='' GOBIN=$new go install -trimpath -ldflags='-s -w' "$minio"); then
    mv -f "$new/minio" "$cache/minio"
  else
    note "MinIO cannot be built. Tests that need it will be skipped."
  fi
  rm -rf "$new"
}

packages
engine
store
