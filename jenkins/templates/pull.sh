{{template "head" .}}

{{if .Phase -}}
{{template "tag" .}}

{{template "guard" . -}}
{{end -}}
# Nothing is downloaded when the registry has the image that is here.
xtci_image={{.Image}}
if ! docker pull "$xtci_image"; then
  docker image inspect "$xtci_image" >/dev/null
  echo "xtci: $xtci_image could not be pulled: the one that is here is used"
fi
docker image inspect --format {{.Inspect}} "$xtci_image"
