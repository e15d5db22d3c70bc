// Package artifacts keeps what a campaign produced and proves that nobody
// changed it: the store of files, the index of records, the archive with its
// manifest and attestation, and the review that trusts none of it.
//
// A store, an unpacked archive and an archive have one layout
// (docs/archive.md): <tag>.json is the index, <tag>/<job>-<build>/ are the
// files of one run.
package artifacts
