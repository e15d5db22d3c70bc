// Package sqlstore keeps the documents of the test DB in SQLite, in one file,
// or in PostgreSQL. Both have the same tables (migrations/), the same writer
// and the same queries; a dialect is what differs.
//
// All changes go through one goroutine, which commits what has gathered while
// the last commit was under way in one transaction (group commit): many
// clients share one write to disk, and each waits for it. Beside the
// documents, that transaction keeps counters per value of every searched
// field and a row per build tag, so that pages and overviews need no scan.
//
// Readers never block the writer. A scan, however long, reads in short
// steps, each a snapshot of its own, bounded by a sequence number: it sees
// the results that were there when it began, and an SQLite log never grows
// because a client reads slowly.
package sqlstore
