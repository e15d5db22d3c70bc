// Package transfer takes the history of a lab into the test DB and out of it:
// from a dump of the old server's MongoDB, or from the JSON that GET /results
// answers, and back into that JSON.
//
// An import can be repeated: what is there already is skipped. Documents keep
// their ids and are stored in the order of these, which is the order of time,
// whatever the order they come in. For that they are kept in a temporary file
// until all are read; memory holds 32 bytes for each.
package transfer
