// Package installer brings the toolchain up in Docker and takes it down
// again. It is a reconciler: the services that the site wants (stack.go,
// services.go) and what there is (observe.go) make a plan (reconcile.go),
// which is printed or carried out (execute.go). The plan of a stack that is
// as it should be is empty.
//
// What there is, is known from labels alone. Nothing that does not carry the
// stack's label is ever touched, and nothing outside of Docker and the
// stack's prefix.
package installer
