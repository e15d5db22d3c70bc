// Package report shows a reviewed campaign: as one HTML page for the operator
// who selects a platform and the vendor who mends one (RC2 1.3), as JSON for
// programs, and as JUnit XML for CI systems.
//
// It derives no verdict: everything in a report is in the assessment that it
// is made of. The same assessment gives the same bytes; no clock is read.
//
// Whatever came from a result file is hostile until it is escaped: the page
// runs no script, loads nothing, and links only to http, https and to files
// of its own archive.
package report
