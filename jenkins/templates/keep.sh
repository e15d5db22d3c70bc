{{template "head" .}}

# Images stay: a pull replaces one when the registry has another, and downloads
# nothing when it has not (jobs.remove_images has them removed).
if ! docker image inspect --format {{.Inspect}} {{.Image}} 2>/dev/null; then
  echo "xtci: {{.ImageText}} is not here"
fi
