// Package jenkinstest is a Jenkins controller for tests, in the manner of
// net/http/httptest: it listens on loopback, answers what the recorded Jenkins
// answered (spec/jenkins.md, jenkins-samples/), and really runs the shell of
// the jobs that it is given. It is no part of the product.
//
// What it is held to: the answers while Jenkins starts, users, sessions,
// crumbs and tokens, jobs and views with Jenkins's way to keep and to rewrite
// their XML, the queue, executors, parameters and how they become environment,
// MultiJob phases, consoles, and what is left after a restart.
//
// What it has not: Groovy, agents, folders, timers that fire, mail that is
// sent, the pages for people. Plugins are names: those that it is told to have
// decide which elements of a config.xml survive a save.
package jenkinstest
