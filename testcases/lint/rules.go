package lint

// A Level says how much a finding matters.
type Level string

// The levels of findings, the worst first.
const (
	// LevelError is of a campaign that cannot do what the site asks for.
	LevelError Level = "error"
	// LevelWarning is of one that probably does something else.
	LevelWarning Level = "warning"
	// LevelNote is of what is worth knowing.
	LevelNote Level = "note"
)

// A Rule is something that is looked for.
type Rule struct {
	// ID is how it is known, in CI and in documents.
	ID string
	// Level is how much its findings matter, where they do not say otherwise.
	Level Level
	// Text says what is wrong, Help what to do about it.
	Text, Help string
}

// Ids of rules.
const (
	SiteUnusable         = "site-unusable"
	VariableNotSupported = "variable-not-supported"
	VariableUnknown      = "variable-unknown"
	GateWithoutJobs      = "gate-without-jobs"
	Playbook             = "playbook"
	ReleaseUnknown       = "release-unknown"
	ReleaseUnspecified   = "release-unspecified"
	ReleaseUnlisted      = "release-unlisted"
	TagLatest            = "tag-latest"
	TagNotRelease        = "tag-not-release"
	TestUnknown          = "test-unknown"
	TestElsewhere        = "test-elsewhere"
	TestExcluded         = "test-excluded"
	ExcludeNothing       = "exclude-nothing"
	TimeoutIgnored       = "timeout-ignored"
	TimeoutNone          = "timeout-none"
	PortTwice            = "port-twice"
	KubeconfigTarget     = "kubeconfig-target"
	KubeconfigMissing    = "kubeconfig-missing"
	ImageGone            = "image-gone"
	EnvOverridden        = "env-overridden"
	PasswordDefault      = "password-default"
)

// Rules are all of them.
func Rules() []Rule {
	return []Rule{
		{SiteUnusable, LevelError, "The site cannot be used.", "Correct the file: the message names the key and what it takes."},
		{VariableNotSupported, LevelWarning, "A variable of the role has no effect here.", "Use what the message names instead, or remove the variable."},
		{VariableUnknown, LevelWarning, "The role has no such variable.", "Correct the name, or remove it."},
		{GateWithoutJobs, LevelWarning, "A gate, or the building of images, makes no jobs.", "Build the images elsewhere, and name them by repo and docker_tags."},
		{Playbook, LevelWarning, "Something in the playbook has no effect, or another one than with Ansible.", "Read the message: it says what is done instead."},
		{ReleaseUnknown, LevelError, "There is no catalogue of the release.", "Name a release that xtci catalog releases lists."},
		{ReleaseUnspecified, LevelNote, "No version of the specification is of the release.", "Nothing, where results are for yourself: no cluster can be shown to be conformant on it."},
		{ReleaseUnlisted, LevelNote, "The specs of the release's e2e suite are not known.", "Nothing, where results are for yourself: that every spec ran cannot be shown on it."},
		{TagLatest, LevelWarning, "Images are run at the tag latest, which is another image from one night to the next.", "Give docker_tags, to the site or to the suite."},
		{TagNotRelease, LevelWarning, "A tag is not the release.", "Make the tag, its branch and release the same."},
		{TestUnknown, LevelWarning, "The catalogue of the release has no such test.", "Correct the name (xtci catalog lists all), or remove it."},
		{TestElsewhere, LevelWarning, "A test is in another container.", "Name it in the suite of that container."},
		{TestExcluded, LevelNote, "A test is excluded for every tag, so no job is made for it.", "Remove the test, or what excludes it."},
		{ExcludeNothing, LevelWarning, "An exclusion matches no tag and test of its suite.", "Correct its tag or test."},
		{TimeoutIgnored, LevelWarning, "Jenkins ignores a timeout.", "Give one that it keeps: the timeout of a suite, or of jobs.wrappers from 3 minutes on."},
		{TimeoutNone, LevelNote, "Tests that hang are never ended.", "Give suites a timeout, such as 3h."},
		{PortTwice, LevelError, "A port of the host is published twice.", "Give one of the two another port, or let the tests run one after the other (execution: sequential)."},
		{KubeconfigTarget, LevelError, "The kubeconfig is mounted where the images do not look for it.", "Mount it at /root/.kube/config up to v1.23, at /home/xtesting/.kube/config after; or give the site's kubeconfig, which is mounted at the right place."},
		{KubeconfigMissing, LevelWarning, "Test containers get no kubeconfig.", "Give kubeconfig, or a volume."},
		{ImageGone, LevelError, "An image is no longer where the site says.", "Name the image that the message names."},
		{EnvOverridden, LevelWarning, "A variable of tests is set by their jobs themselves.", "Remove it: it has no effect. What it is made of are keys of stack."},
		{PasswordDefault, LevelWarning, "Ports are open to others, with passwords that everybody knows.", "Give passwords, or have xtci up make them (--generate-passwords)."},
	}
}
