// Package objectstore makes an object store ready for campaigns: the bucket,
// who may read it without a key, and the key of the jobs. It is safe to
// repeat, and says what it changed. It starts nothing.
//
// Errors that waiting cannot mend, such as a wrong key, have a method
// Permanent that returns true. All others are worth another try.
//
// Of MinIO's own API it speaks the few calls that are needed itself: MinIO's
// library for it is under the AGPL (docs/dependencies.md).
package objectstore
