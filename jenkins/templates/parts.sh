{{define "head" -}}
#!/bin/sh
# {{.Title}}
# Made by xtci, which replaces what is changed here.
set -eu
set +x
{{- end}}

{{define "tag" -}}
# Jenkins ignores case in names: one of the two has the value.
BUILD_TAG=${BUILD_TAG:-${build_tag-}}
case $BUILD_TAG in
'' | .* | *[!A-Za-z0-9_.,-]*)
  echo "xtci: the build tag '$BUILD_TAG' cannot be used: give letters, digits, dots, commas, dashes and underscores" >&2
  exit 1
  ;;
esac
{{- if or .Earlier .Phase .Archive}}
# Where the jobs of one campaign tell each other.
xtci_campaign=${WORKSPACE%/*}/.xtci/$BUILD_TAG
{{- end}}
{{- end}}

{{define "guard" -}}
{{if .Earlier -}}
# A failed phase ends the campaign (failure: stop). MultiJob would not let the
# archive be made then, and so it runs all phases, whose jobs look themselves.
xtci_after() {
  if [ -f "$xtci_campaign/failed-$1" ]; then
    echo "xtci: not run: $(cat "$xtci_campaign/failed-$1") failed before, and the site says failure: stop"
    exit {{.NotRun}}
  fi
}
{{- range .Earlier}}
xtci_after {{.}}
{{- end}}

{{end -}}
{{if .Phase -}}
# shellcheck disable=SC2317 # the trap calls it
xtci_exit() {
  if [ "$1" -ne 0 ]; then
    mkdir -p "$xtci_campaign"
    echo "$JOB_NAME" >"$xtci_campaign/failed-{{.Phase}}"
  fi
}
trap 'xtci_exit $?' EXIT

{{end -}}
{{- end}}

{{define "name" -}}
{{if .Host -}}
# This workspace, as Docker's host sees it.
xtci_host={{.Workspace}}/${WORKSPACE##*/}
{{end -}}
xtci_name={{.Owner}}-${JOB_NAME##*/}-$BUILD_ID
# What an earlier build left running, because Jenkins was killed.
for xtci_old in $(docker ps --all --quiet --filter label=io.xtci.owner={{.Owner}} --filter "label=io.xtci.job=$JOB_NAME"); do
  echo "xtci: removing container $xtci_old of an earlier build"
  docker rm --force "$xtci_old" >/dev/null
done
{{- end}}

{{define "container" -}}
# The container ends with its build, however that ends.
xtci_run=
# shellcheck disable=SC2317 # the traps call it
xtci_end() {
  trap '' HUP INT TERM USR1
  echo "xtci: $1: stopping the container"
  docker stop -t {{.Grace}} "$xtci_name" >/dev/null 2>&1 || true
  if [ -n "$xtci_run" ]; then
    kill "$xtci_run" 2>/dev/null || true
    wait "$xtci_run" || true
  fi
  docker rm --force "$xtci_name" >/dev/null 2>&1 || true
  exit "$2"
}
trap 'xtci_end "the build was aborted" 143' HUP INT TERM
{{- if .Timeout}}
trap 'xtci_end "timed out after {{.TimeoutText}}" 124' USR1
{{- end}}
{{if .Connect -}}
docker create \
{{- range .Docker}}
  {{.}} \
{{- end}}
  {{.Image}} {{.Command}} >/dev/null
if ! docker network connect {{.Connect}} "$xtci_name"; then
  docker rm --force "$xtci_name" >/dev/null
  exit 1
fi
docker start --attach "$xtci_name"{{.Redirect}} &
{{- else -}}
docker run \
{{- range .Docker}}
  {{.}} \
{{- end}}
  {{.Image}} {{.Command}}{{.Redirect}} &
{{- end}}
xtci_run=$!
{{- if .Timeout}}
# The watch ends with this script, also when no signal tells it to.
(
  xtci_left={{.Timeout}}
  while [ "$xtci_left" -gt 0 ]; do
    kill -0 "$$" || exit 0
    xtci_nap=$((xtci_left < 5 ? xtci_left : 5))
    sleep "$xtci_nap"
    xtci_left=$((xtci_left - xtci_nap))
  done
  kill -USR1 "$$"
) >/dev/null 2>&1 &
xtci_watch=$!
{{- end}}
xtci_status=0
wait "$xtci_run" || xtci_status=$?
{{- if .Timeout}}
kill "$xtci_watch" 2>/dev/null || true
{{- end}}
{{- end}}

{{define "exports" -}}
{{range .Exports -}}
{{.}}
{{end -}}
{{- end}}
