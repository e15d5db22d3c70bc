// Package flawless makes up what a test container leaves when everything goes
// well, by the catalogue: so that tests and stand-ins have a campaign that is
// conformant, and can spoil it in one place. It is no part of the product.
package flawless
