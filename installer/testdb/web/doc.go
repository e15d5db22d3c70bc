// Package web shows the test DB to people: its campaigns, one campaign, one
// result, a search, and the description of the REST API (OpenAPI 3.1). Pages
// are made on the server, need neither script nor network, and work with a
// keyboard, a screen reader and on a phone.
//
// It only reads the store. All that is in there is hostile: pages escape it,
// bound it, and spell out the characters that nobody would see.
//
// Metrics counts the requests and what is stored, for Prometheus.
package web
