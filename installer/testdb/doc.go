// Package testdb is the results database of the toolchain: OPNFV TestAPI's
// REST interface as real Xtesting clients use it (spec/testapi-xtesting.md,
// section a), in one process, on an embedded database or on PostgreSQL.
//
// An answer of 200 means that what was posted is on disk. Results are never
// changed. Where the old server is plainly broken, this one does the right
// thing; docs/testdb.md lists each difference.
package testdb
