// Package casc makes a Jenkins ready for campaigns: the document of its
// configuration as code, and whether it answers by now. It starts nothing.
//
// Errors that waiting cannot mend, such as a wrong password, have a method
// Permanent that returns true. All others are worth another try.
package casc
