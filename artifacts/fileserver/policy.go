package fileserver

import (
	"crypto/sha256"
	"encoding/base64"
)

// pagePolicy forbids the server's own pages everything but their style and
// the empty icon that keeps browsers from asking for another.
func pagePolicy(style []byte) string {
	sum := sha256.Sum256(style)
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// Policies of files that are opened as pages, whatever they are: not only HTML
// and SVG can hold scripts, XML can, too. A sandbox has an origin of its own,
// and no script.
const (
	sandbox = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	// a report links to the files that it was made from, which browsers save
	reportSandbox = "sandbox allow-downloads; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
