// Package jenkins turns a plan into jobs and views of Jenkins, registers them,
// starts campaigns and follows them.
//
// What is wanted is a Graph; nothing in it comes from a Jenkins. Diff compares
// it with what a Jenkins has, XML as XML, and Apply makes it so: it writes what
// differs and nothing else, touches only what xtci made (Managed), and removes
// only when it is told to. A second Apply writes nothing.
//
// A Client speaks to one Jenkins. It hides what is known of Jenkins's own REST
// interface (spec/jenkins.md) and of the library below, gojenkins v1.2.0, of
// which nothing is seen outside. An answer other than 2xx is a *StatusError
// with Jenkins's own message. Nothing that changes something is sent twice,
// unless the first can not have arrived.
package jenkins
