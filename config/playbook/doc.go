// Package playbook reads the Ansible playbooks in which labs keep their
// campaigns: those that call the role collivier.xtesting with variables. It
// turns each call of the role into a site, and says what it could not.
//
// A playbook is read, and never run: no lookup, module, condition or other
// role of it has any effect but to be named in a finding.
package playbook
