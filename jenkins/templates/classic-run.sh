{{template "head" .}}

rm -rf "${WORKSPACE:?}/results" || true
mkdir -p "$WORKSPACE/results"
chown {{.UID}}:{{.GID}} "$WORKSPACE/results" || chmod 0777 "$WORKSPACE/results"
exec docker run --rm \
{{- range .Docker}}
  {{.}} \
{{- end}}
  {{.Image}} {{.Command}}
