// Package testcases holds the words of the domain: the catalogue of what RC2
// says of each test case, the checks that a case is made of, the record that
// a container pushed, and the verdict on a case and on a whole campaign.
//
// It owns the rules by which a cluster is called conformant. It reads no
// result files (package parse does), knows no archive and no engine.
//
// The one rule above all others: nothing that is missing, unreadable or
// contradictory ever counts as a pass.
package testcases
