// Package fetch gets files from elsewhere: over HTTP, out of git
// repositories, from object stores. What it got is kept with its digest, so
// that it can be had again without a network.
//
// It is the only face of go-getter, whose habits it does away with: nothing is
// unpacked, no link is followed, nothing is written over, and no more is read
// than was allowed. What is said of a source never has its credentials.
package fetch
