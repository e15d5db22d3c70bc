// Package lint looks through a site, against the catalogue of its release, for
// what would go wrong at night: what loads and validates, and yet makes a
// campaign that fails, runs something else than is meant, or tells nobody.
//
// It looks at the site alone. What there is on this host, installer/doctor
// looks at.
package lint
