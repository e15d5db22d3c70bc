#!/bin/sh
# The demonstration: a recorded campaign, from results to a reviewed archive.
# demo.sh XTCI DIR
set -eu
xtci=$1 dir=$2 tag=DEMO0001

rm -rf "$dir"
mkdir -p "$dir"

# run and review answer no (1) for a campaign that fails: that is the demonstration
answers() { "$@" || [ $? -eq 1 ]; }

answers "$xtci" run --replay testcases/testdata/sample --tag "$tag" --set "stack.prefix=$dir" --set failure=continue
"$xtci" publish "$tag" --set "stack.prefix=$dir"
archive=$dir/artifacts/$tag.zip
answers "$xtci" review "$archive" --key "$dir/keys/signing.pub" >"$dir/review.txt"
answers "$xtci" report "$archive" >"$dir/report.html"

echo
sed -n '1,/^Mandatory cases/p' "$dir/review.txt" | sed '$d'
echo "review: $dir/review.txt"
echo "report: $dir/report.html"
echo "archive: $archive"
