// Package docker is the thin face of the Docker Engine that the installer and
// the runner share. It alone knows Docker's client library, whose types do
// not leave it. It decides nothing: each method is one thing done, and its
// errors say what was tried on what.
package docker
