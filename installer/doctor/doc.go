// Package doctor looks, before a campaign of hours, for everything that can
// go wrong with it: in Docker, on this host, with images, and in the cluster.
// Each check says what was seen and what to do; what cannot be checked is
// skipped, and says why. It repairs nothing. docs/doctor.md lists the checks
// and the reasons of their limits.
package doctor
