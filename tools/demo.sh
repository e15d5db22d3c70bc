#!/bin/sh
# The demonstration, from nothing to a reviewed archive: the whole toolchain
# where Docker and MinIO are at hand, else a replay of recorded results.
# demo.sh XTCI DIR
set -eu
xtci=$1 dir=$2 tag=DEMO0001

rm -rf "$dir"
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# why the whole cannot be shown, or nothing
lacking() {
  if ! docker info >/dev/null 2>&1; then
    echo 'there is no Docker Engine here that this user may use'
  elif ! command -v minio >/dev/null && ! [ -x "${XDG_CACHE_HOME:-$HOME/.cache}/xtci-test/minio" ]; then
    echo 'there is no MinIO here yet (tools/testdeps.sh builds it)'
  fi
}

whole() {
  # compiled first: go test would show what happens at the end only
  CGO_ENABLED=0 ${GO:-go} test -c -o "$dir/.demo.test" ./cmd/xtci
  (cd cmd/xtci && "$dir/.demo.test" -test.timeout 20m -test.run '^TestDemo$' -demo "$dir")
  rm "$dir/.demo.test"
  archive=$dir/$tag.zip
}

# run and review answer no (1) for a campaign that fails: that is the demonstration
answers() { "$@" || [ $? -eq 1 ]; }

replay() {
  answers "$xtci" run --replay testcases/testdata/sample --tag "$tag" --set "stack.prefix=$dir/lab" --set failure=continue
  "$xtci" publish "$tag" --set "stack.prefix=$dir/lab"
  archive=$dir/$tag.zip
  cp "$dir/lab/artifacts/$tag.zip" "$archive"
  answers "$xtci" review "$archive" --key "$dir/lab/keys/signing.pub" >"$dir/review.txt"
  "$xtci" report "$archive" >"$dir/report.html"
}

why=$(lacking)
if [ -z "$why" ]; then
  whole
  what='the whole toolchain on Docker: stack, campaign in containers, archive from the file server'
else
  replay
  what="a replay of recorded results, since $why"
fi

echo
sed -n '1,/^Mandatory cases/p' "$dir/review.txt" | sed '$d'
echo "this was $what"
echo "review: $dir/review.txt"
echo "report: $dir/report.html"
echo "archive: $archive, signed with $dir/lab/keys/signing.pub"
