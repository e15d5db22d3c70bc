#!/bin/sh
# docs/report.png: the top of the report on the recorded campaign, as a browser shows it.
# report-picture.sh XTCI PICTURE
set -eu
xtci=$1 picture=$2
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
set -- --set "stack.prefix=$folder/lab"
# run answers no (1) for a campaign that fails
"$xtci" run --replay testcases/testdata/sample --tag DEMO0001 --set failure=continue "$@" >"$folder/log" 2>&1 || [ $? -eq 1 ]
"$xtci" publish DEMO0001 "$@" >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
"$xtci" report "$folder/lab/artifacts/DEMO0001.zip" >"$folder/report.html"
# Only root has no sandbox of its own; the page has no script.
sandbox=$([ "$(id -u)" -ne 0 ] || echo --no-sandbox)
# shellcheck disable=SC2086 # none or one word
"$browser" --headless --disable-gpu $sandbox --user-data-dir="$folder/profile" --hide-scrollbars \
  --force-device-scale-factor=1 --window-size=1280,1000 --screenshot="$picture" "file://$folder/report.html" >"$folder/log" 2>&1 ||
  { cat "$folder/log" >&2; exit 1; }
test -s "$picture"
