// Package backup writes what a stack keeps under its prefix into one file, and
// puts it back.
//
// The file is a tar, compressed with gzip. It begins with backup.json, which
// says what it is. What is under the prefix follows as data/NAME, with modes,
// owners and times. Each few thousand of those are followed by a manifest of
// them, with the SHA-256 of every file, so that neither side has to hold the
// list of all in memory. end.json is last, with how many there are: a file
// without it was cut off.
//
// A backup is made while the services run. What is being written just then may
// be of before or of after; the test DB's file alone is copied as of one
// moment, by SQLite. Restore unpacks into a new folder, compares everything
// with the manifests, and only then puts it where it belongs.
//
// Nothing in a backup can lead out of the folder: names are taken apart from
// the root of it (os.Root), and nothing is ever written through a link.
package backup
