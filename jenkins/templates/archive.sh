{{template "head" .}}

{{template "tag" .}}

{{template "name" .}}
{{if .ByContainer}}
xtci_log=$WORKSPACE/zip-$BUILD_ID.log
rm -f "$WORKSPACE"/zip-*.log
{{end}}
{{template "exports" .}}
{{template "container" .}}
{{- if .ByContainer}}
cat "$xtci_log"
# zip_campaign says success when it has failed: only this line tells.
if [ "$xtci_status" -eq 0 ] && ! grep -q 'All data were successfully published' "$xtci_log"; then
  echo 'xtci: no archive was published'
  xtci_status=1
fi
{{- end}}
# The campaign is over: what it kept on disk for its jobs is not needed any more.
rm -rf "$xtci_campaign"
find "${WORKSPACE%/*}/.xtci" -mindepth 1 -maxdepth 1 -type d -mtime +30 -exec rm -rf {} + 2>/dev/null || true
exit "$xtci_status"
