#!/bin/sh
# Run every fuzz target for a while: fuzz.sh TIME
set -eu
for file in $(grep -rl '^func Fuzz' --include='*_test.go' .); do
  for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$file"); do
    echo "$(dirname "$file") $target"
    CGO_ENABLED=0 go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 10x "$(dirname "$file")"
  done
done
