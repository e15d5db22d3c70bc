#!/bin/sh
# Make what is handed out, into the folder DIR: dist.sh DIR
#
# For each of ARCHS: a static binary in a tar.gz (part tar), what is in the
# binary (sbom), and packages (deb, rpm); and SHA256SUMS. The same commit and the
# same Go make the same bytes: nothing takes the time, the place or the user of
# the build (tools/distcheck.sh). Needs git, GNU tar, gzip, readelf.
#
# VERSION is what the binary says it is; ARCHS and PARTS make less.
set -eu
umask 022
cd "$(dirname "$0")/.."
export LC_ALL=C TZ=UTC CGO_ENABLED=0

dir=$1
go=${GO:-go}
version=${VERSION:-$(git describe --tags --always --dirty)}
archs=${ARCHS:-amd64 arm64}
parts=${PARTS:-tar sbom deb rpm}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

cyclonedx=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

fail() {
  echo "dist: $*" >&2
  exit 1
}

wants() { case " $parts " in *" $1 "*) ;; *) return 1 ;; esac }

# package_version VERSION: as packages order them: 1.2.3, 1.2.3+4.gabcdef (4
# commits later), 1.2.3~rc.1 (before it), and without a tag 0.0.0+DATE.COMMIT
package_version() {
  case $1 in
  v[0-9]*) echo "${1#v}" | sed -e 's/-dirty$/+dirty/' -e 's/-\([0-9]*\)-g\([0-9a-f]*\)/+\1.g\2/' -e 's/+\(.*\)+/+\1./' -e 's/-/~/' ;;
  *) echo "0.0.0+$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d).$1" | tr - . ;;
  esac
}

# tool MODULE@VERSION: for this machine. The list of what is in the binary has the
# tool's checksum in it.
tool() { GOBIN=$tmp/bin GOFLAGS=-trimpath "$go" install "$1"; }

# build ARCH FILE
build() {
  GOOS=linux GOARCH=$1 "$go" build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$version" -o "$2" ./cmd/xtci
}

# licenses ARCH: those of Go and of all modules that are linked in
licenses() {
  echo "The binary xtci has these in it, under the licenses that follow."
  license Go "$("$go" env GOVERSION)" "$("$go" env GOROOT)"
  GOOS=linux GOARCH=$1 "$go" list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/xtci |
    sort -u | while read -r module number folder; do license "$module" "$number" "$folder"; done
}

# license MODULE VERSION FOLDER
license() {
  texts=$(find "$3" -maxdepth 1 -type f \( -iname 'license*' -o -iname 'copying*' -o -iname 'notice*' -o -iname 'patents*' \) | sort)
  [ -n "$texts" ] || fail "$1 $2 has no license in $3"
  for text in $texts; do
    printf '\n==== %s %s: %s ====\n\n' "$1" "$2" "${text##*/}"
    cat "$text"
  done
}

# stage ARCH FOLDER: everything that goes into an archive or a package
stage() {
  mkdir -p "$2"
  git ls-files -z LICENSE README.md docs | tar -c --null -T - | tar -x -C "$2"
  cp -R "$tmp/completions" "$tmp/man" "$2"
  build "$1" "$2/xtci"
  licenses "$1" >"$2/THIRD-PARTY.txt"
  check_static "$2/xtci" "$1"
  chmod -R u=rwX,go=rX "$2"
  find "$2" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

# check_static FILE ARCH
check_static() {
  "$go" version -m "$1" | grep "GOARCH=$2\$" >/dev/null || fail "$1 is not for $2"
  if readelf -l "$1" | grep INTERP >/dev/null; then fail "$1 is not static"; fi
}

# archive FOLDER NAME: NAME.tar.gz, in which everything is in a folder NAME
archive() {
  tar -c --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
    --transform "s,^\.,$2," -C "$1" . | gzip -9n >"$dir/$2.tar.gz"
  tar -tzf "$dir/$2.tar.gz" | grep -x "$2/xtci" >/dev/null || fail "$2.tar.gz has no $2/xtci"
}

# packages FOLDER ARCH
packages() {
  gzip -9n "$1"/man/*.1
  cp packaging/copyright "$1"
  touch -d "@$SOURCE_DATE_EPOCH" "$1/copyright" "$1/man"
  for format in deb rpm; do
    if wants $format; then
      (cd "$1" && ARCH=$2 VERSION=$(package_version "$version") "$tmp/bin/nfpm" package -f "$OLDPWD/packaging/nfpm.yaml" -p $format -t "$tmp/out" >/dev/null)
    fi
  done
  mv "$tmp"/out/* "$dir"
}

rm -rf "$dir"
mkdir -p "$dir" "$tmp/out"
dir=$(cd "$dir" && pwd)

# what runs here writes the pages and scripts; tools are for this machine, too
build "$("$go" env GOHOSTARCH)" "$tmp/xtci"
"$tmp/xtci" man "$tmp/man"
mkdir "$tmp/completions"
"$tmp/xtci" completion bash >"$tmp/completions/xtci.bash"
"$tmp/xtci" completion zsh >"$tmp/completions/_xtci"
"$tmp/xtci" completion fish >"$tmp/completions/xtci.fish"
[ "$("$tmp/xtci" version)" = "xtci $version" ] || fail "the binary is $("$tmp/xtci" version), want $version"
if wants sbom; then tool "$cyclonedx"; fi
if wants deb || wants rpm; then tool "$nfpm"; fi

for arch in $archs; do
  name=xtci-$version-linux-$arch
  stage "$arch" "$tmp/$arch"
  if wants tar; then archive "$tmp/$arch" "$name"; fi
  if wants sbom; then
    GOOS=linux GOARCH=$arch "$tmp/bin/cyclonedx-gomod" app -json -licenses -std -noserial -notimestamp -main cmd/xtci -output "$dir/$name.cdx.json" .
  fi
  if wants deb || wants rpm; then packages "$tmp/$arch" "$arch"; fi
done

if command -v dpkg-deb >/dev/null; then
  for package in "$dir"/*.deb; do
    [ ! -e "$package" ] || dpkg-deb -c "$package" | grep ' \./usr/bin/xtci$' >/dev/null || fail "$package has no /usr/bin/xtci"
  done
fi
if command -v rpm >/dev/null; then
  for package in "$dir"/*.rpm; do
    [ ! -e "$package" ] || rpm -qlp "$package" | grep -x /usr/bin/xtci >/dev/null || fail "$package has no /usr/bin/xtci"
  done
fi

cd "$dir"
sha256sum -- * >SHA256SUMS
cat SHA256SUMS
