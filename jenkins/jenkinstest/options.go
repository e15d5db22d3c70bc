package jenkinstest

import (
	"maps"
	"os"
	"time"
)

// What the recorded Jenkins said or took (spec/jenkins.md). The defaults of
// Options are shorter.
const (
	// Version is in the header X-Jenkins.
	Version = "2.426.2"
	// RecordedQuietPeriod is how long a triggered build waits.
	RecordedQuietPeriod = 5 * time.Second
	// RecordedRefused and RecordedNotReady are how long a cold start refuses
	// connections, and then answers 503.
	RecordedRefused  = 9 * time.Second
	RecordedNotReady = 50 * time.Second
	// RecordedAuth is what checking a password takes: bcrypt.
	RecordedAuth = 200 * time.Millisecond
	// RecordedExecutors is how many builds run at once by default.
	RecordedExecutors = 2
)

// Options are what a Server may be told. The zero value is the recorded
// Jenkins with the role's plugins, admin/admin, and nothing to wait for.
type Options struct {
	// Addr is where to listen. Empty is a free port of loopback.
	Addr string
	// Prefix is what --prefix is told, such as /jenkins.
	Prefix string
	// Home is JENKINS_HOME. Jobs are kept there and read again, and builds
	// run in its workspace folder. New makes one if it is empty.
	Home string
	// Users may log in. Nil is admin with the password admin.
	Users []User
	// Executors is how many builds run at once. Zero is what was recorded.
	Executors int
	// Plugins are the installed ones: names and versions. Nil is those that
	// Plugins returns.
	Plugins map[string]string
	// RootURL is the configured location. Empty is none, as recorded: then
	// builds have no JENKINS_URL.
	RootURL string
	// Environ is Jenkins's own environment, which builds inherit. Nil is that
	// of this process.
	Environ []string
	// QuietPeriod is how long a triggered build waits in the queue, unless
	// the trigger says delay=0sec.
	QuietPeriod time.Duration
	// Refused and NotReady are how long a start refuses connections, and then
	// answers 503.
	Refused, NotReady time.Duration
	// Auth is what checking a password takes.
	Auth time.Duration
	// PostBuild is how long a build is still in progress after it is no longer
	// building.
	PostBuild time.Duration
	// Minute is what the timeout of a job calls a minute. Zero is a minute.
	Minute time.Duration
	// AbortWait is how long an aborted MultiJob waits for jobs that are still
	// in the queue. Zero is 20 s, as the plugin does.
	AbortWait time.Duration
	// KillAfter is how long an aborted process may go on after SIGTERM. Zero
	// is Jenkins's two minutes.
	KillAfter time.Duration
}

// A User may log in.
type User struct {
	Name, Password string
	// Permissions are what the user may do. Nil is everything.
	Permissions []string
}

// Permissions, as Jenkins names them.
const (
	Administer   = "Overall/Administer"
	Read         = "Overall/Read"
	JobCreate    = "Job/Create"
	JobConfigure = "Job/Configure"
	JobDelete    = "Job/Delete"
	JobRead      = "Job/Read"
	JobBuild     = "Job/Build"
	JobCancel    = "Job/Cancel"
	ViewCreate   = "View/Create"
)

// Names of the plugins that the role's jobs need.
const (
	MultiJob     = "jenkins-multijob-plugin"
	BuildBlocker = "build-blocker-plugin"
	RandomString = "random-string-parameter"
)

// Plugins returns the installed plugins that matter to the role's jobs, with
// their recorded versions where there are any.
func Plugins() map[string]string {
	return map[string]string{
		MultiJob:                "659.v6633374ec624",
		BuildBlocker:            "1.7.3",
		RandomString:            "1.0",
		"parameterized-trigger": "787.v665fcf2a_830b_",
		"nodelabelparameter":    "1.10.1",
		"configuration-as-code": "1670.v564dc8b_982d0",
		"matrix-auth":           "3.2.1",
		"build-timeout":         "1.31",
		"copyartifact":          "722.v0662a_9b_e22a_c",
		"credentials":           "1311.vcf0a_900b_37c2",
		"credentials-binding":   "642.v737c34dea_6c2",
		"email-ext":             "2.102",
		"envinject":             "2.908.v66a_774b_31d93",
		"git":                   "5.2.1",
		"mailer":                "463.vedf8358e006b_",
		"timestamper":           "1.26",
		"throttle-concurrents":  "2.14",
		"postbuildscript":       "3.2.0-550.v88192b_d3e922",
		"groovy-postbuild":      "228.vcdb_cf7265066",
		"conditional-buildstep": "1.4.3",
		"run-condition":         "1.7",
		"ws-cleanup":            "0.45",
		"ansicolor":             "1.0.4",
		"description-setter":    "239.vd0a_6b_785f92d",
		"plain-credentials":     "143.v1b_df8b_d3b_e48",
		"token-macro":           "400.v35420b_922dcb_",
		"structs":               "325.vcb_307d2a_2782",
	}
}

// PluginsWithout returns Plugins without some.
func PluginsWithout(names ...string) map[string]string {
	plugins := Plugins()
	maps.DeleteFunc(plugins, func(name, _ string) bool {
		for _, without := range names {
			if name == without {
				return true
			}
		}
		return false
	})
	return plugins
}

func (o Options) withDefaults() Options {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Prefix == "/" {
		o.Prefix = ""
	}
	if o.Users == nil {
		o.Users = []User{{Name: "admin", Password: "admin"}}
	}
	if o.Executors == 0 {
		o.Executors = RecordedExecutors
	}
	if o.Plugins == nil {
		o.Plugins = Plugins()
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.Minute == 0 {
		o.Minute = time.Minute
	}
	if o.AbortWait == 0 {
		o.AbortWait = 20 * time.Second
	}
	if o.KillAfter == 0 {
		o.KillAfter = 2 * time.Minute
	}
	return o
}
