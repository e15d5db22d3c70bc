{{template "head" .}}

{{template "tag" .}}

{{template "guard" . -}}
xtci_image={{.Image}}
{{template "name" .}}

# Results of this build lie apart from those of others.
xtci_build=$BUILD_TAG-$BUILD_ID
xtci_results=$WORKSPACE/results/$xtci_build
docker image inspect "$xtci_image" >/dev/null 2>&1 || docker pull "$xtci_image"
if ! rm -rf "${WORKSPACE:?}/results" 2>/dev/null; then
  # Tests that ran as root left files that nobody else can remove.
  docker run --rm --network none --user 0:0 -v "$xtci_host/results:/results" \
    --entrypoint find "$xtci_image" /results -mindepth 1 -delete ||
    echo "xtci: some results of earlier builds stay in $WORKSPACE/results"
fi
mkdir -p "$xtci_results/{{.Case}}"
# Which image it was: published with the results.
docker image inspect --format \
  {{.Inspect}} \
  "$xtci_image" >"$xtci_results/{{.Case}}/xtci-image.json"
chown -R {{.UID}}:{{.GID}} "$xtci_results" 2>/dev/null || chmod -R a+rwX "$xtci_results"

# docker takes values from its environment: so they arrive as they are, and
# stand in no command line.
{{template "exports" .}}
{{template "container" .}}
exit "$xtci_status"
