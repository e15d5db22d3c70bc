// Package config holds the site: what to test, and with what. It loads
// xtci.yaml, XTCI_* environment variables and --set flags into one checked
// value, and knows nothing of test cases.
package config
