// Program functeststandin is a STAND-IN for the test containers
// opnfv/functest-kubernetes-{healthcheck,smoke,security,benchmarking,cnf}:v1.23.
// It tests nothing: tests of xtci, and its demonstration, run it in their place.
// To its surroundings it behaves as Xtesting 0.94 and the drivers of
// functest-kubernetes v1.23 do (spec/testapi-xtesting.md, sections b to d):
// arguments, environment, exit status, files, console, upload, record. What it
// finds is not found out but taken from a recorded campaign, or made up.
//
//	run_tests [-t CASE|TIER|all] [-n] [-r] [-p]
//	zip_campaign
//	functest-standin rootfs [--sample DIR] TIER
//
// The last writes the files of a tier's image to stdout, a tar for docker
// import. Tests have package standintest for that; by hand, in the module's
// folder:
//
//	CGO_ENABLED=0 go build -o standin ./testcases/runner/functeststandin
//	./standin rootfs smoke | docker import - xtci-test/functest-smoke:v1.23
//
// # Environment
//
// All that Xtesting reads: CI_LOOP DEBUG DEPLOY_SCENARIO INSTALLER_TYPE
// BUILD_TAG NODE_NAME TEST_DB_URL TEST_DB_EXT_URL S3_ENDPOINT_URL S3_DST_URL
// HTTP_DST_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY (but not ~/.aws), and the
// file /var/lib/xtesting/conf/env_file. Without TEST_DB_URL nothing is pushed:
// made-up results are not for the public database that is Xtesting's default.
//
// Besides, it is told what to stage. Each variable is a list, separated by
// commas, of names of cases; "all" is every case. Where there is a VALUE, an
// item is CASE=VALUE, or VALUE alone for every case. Containers get the
// variables for all cases alike: those of others are passed over.
//
//	FUNCTEST_STANDIN_PASS=CASES      all goes well, and raw files say so: a
//	                                 campaign with PASS=all is conformant. Without
//	                                 it results are those of the recorded campaign
//	FUNCTEST_STANDIN_FAIL=CASES      FAIL, and raw files say why; before PASS
//	FUNCTEST_STANDIN_SKIP=CASES      the driver's requirements are not met: SKIP
//	FUNCTEST_STANDIN_RAISE=CASES     an exception escapes the driver: FAIL, exit
//	                                 255, nothing published or pushed
//	FUNCTEST_STANDIN_SLOW=DURATION   a case takes so long (Go's 90s, 1m30s).
//	                                 Meanwhile e2e.log grows, as ginkgo prints
//	FUNCTEST_STANDIN_WAIT=CASES      a case begins when somebody puts a file go-on
//	                                 into its results folder, and removes it
//	FUNCTEST_STANDIN_E2ELOG=end      e2e.log appears when ginkgo has ended, as the
//	                                 drivers of v1.23 write it; default live
//	FUNCTEST_STANDIN_HANG=CASES      half of e2e.log, and no end: SIGTERM ends it,
//	                                 exit 143
//	FUNCTEST_STANDIN_DEAF=CASES      the same, and SIGTERM is ignored
//	FUNCTEST_STANDIN_CRASH=CODE      half of e2e.log, then exit CODE (for a CASE
//	                                 without CODE 137), nothing more
//	FUNCTEST_STANDIN_OOM=CASES       takes memory until it is killed. Without a
//	                                 limit on the container it gives up at 1 GiB,
//	                                 and raises
//	FUNCTEST_STANDIN_FILL=SIZE       writes a file of that SIZE (5GB, 64MiB) into
//	                                 the case's folder; uploads it, too. On a full
//	                                 disk the case fails
//	FUNCTEST_STANDIN_NOUPLOAD=CASES  publishing fails: no file, no links
//	FUNCTEST_STANDIN_NOPUSH=CASES    the push fails: no record
//	FUNCTEST_STANDIN_BADRECORD=KIND  pushes a bad record. KIND: lie (PASS for FAIL,
//	                                 and the other way round; the default),
//	                                 criteria (neither), case (of another case),
//	                                 json (cut off)
//	FUNCTEST_STANDIN_ROOT=DIR        a folder instead of /, to run it without a
//	                                 container
//
// As in the real containers process 1 has no handler for SIGTERM, which
// therefore does nothing: docker stop ends in SIGKILL, exit 137, unless the
// container runs with an init.
//
// A variable that begins so and is not one of these, or cannot be read, ends
// the program with status 64.
package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	if os.Getpid() == 1 {
		signal.Ignore(syscall.SIGTERM) // the kernel does it for a Python that is process 1
	}
	os.Exit(run(os.Args, os.Environ(), os.Stdout, os.Stderr)) //nolint:forbidigo // this is main
}

// Exit statuses. The first three are Xtesting's.
const (
	exitOK       = 0
	exitError    = 255
	exitRunError = 70
	exitArgument = 2  // argparse's
	exitStandin  = 64 // the stand-in itself was told something wrong
)

// An app is one run of the program.
type app struct {
	env     environment
	root    string // in place of /
	console io.Writer
	orders  orders
	logs    *logs
}

// run is the whole program: the name that it was called by, or else its first
// argument, says which one it is.
func run(args, environ []string, stdout, stderr io.Writer) (status int) {
	command, rest := filepath.Base(args[0]), args[1:]
	if command != "run_tests" && command != "zip_campaign" && len(rest) > 0 {
		command, rest = rest[0], rest[1:]
	}
	env := newEnvironment(environ)
	orders, err := readOrders(env)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitStandin
	}
	a := &app{env: env, root: env.own("ROOT"), console: stdout, orders: orders}
	switch command {
	case "run_tests":
		return a.runTests(rest, stderr)
	case "zip_campaign":
		return a.zipCampaign()
	case "rootfs":
		if err := writeRootfs(rest, stdout); err != nil {
			fmt.Fprintln(stderr, err)
			return exitStandin
		}
		return exitOK
	}
	fmt.Fprintf(stderr, "%s is none of run_tests, zip_campaign, rootfs\n", command)
	return exitStandin
}

// Where things are in the image.
const (
	resultsDir   = "/var/lib/xtesting/results"
	envFile      = "/var/lib/xtesting/conf/env_file"
	kubeconfig   = "/root/.kube/config"
	recordingDir = "/usr/share/functest-standin" // TIER/CASE
	logName      = "functest-kubernetes.log"
	debugLogName = "functest-kubernetes.debug.log"
)

// at is the path of a file of the image.
func (a *app) at(name string) string { return filepath.Join("/", a.root, name) }

// results is a path in the results folder.
func (a *app) results(names ...string) string {
	return a.at(path.Join(resultsDir, path.Join(names...)))
}

// An environment is the process's, with Xtesting's defaults.
type environment map[string]string

// inputs are Xtesting's variables, as its table has them, and their defaults
// (spec/testapi-xtesting.md, b.2).
var inputs = []struct{ name, value string }{
	{"CI_LOOP", "daily"},
	{"DEBUG", "false"},
	{"DEPLOY_SCENARIO", "os-nosdn-nofeature-noha"},
	{"INSTALLER_TYPE", "unknown"},
	{"BUILD_TAG", ""},
	{"NODE_NAME", ""},
	{"TEST_DB_URL", "http://testresults.opnfv.org/test/api/v1/results"},
	{"TEST_DB_EXT_URL", ""},
	{"S3_ENDPOINT_URL", ""},
	{"S3_DST_URL", ""},
	{"HTTP_DST_URL", ""},
}

func newEnvironment(environ []string) environment {
	env := environment{}
	for _, variable := range environ {
		if name, value, ok := strings.Cut(variable, "="); ok {
			env[name] = value
		}
	}
	return env
}

// get is a variable's value, or its default.
func (e environment) get(name string) string {
	if value, ok := e[name]; ok {
		return value
	}
	for _, input := range inputs {
		if input.name == name {
			return input.value
		}
	}
	return ""
}

// orNull is a variable's value, or nil when it is not set and has no default.
func (e environment) orNull(name string) any {
	if value := e.get(name); value != "" {
		return value
	}
	if _, set := e[name]; set {
		return ""
	}
	return nil
}

// own is the value of a variable of the stand-in's.
func (e environment) own(name string) string { return e[ownPrefix+name] }

// debug says whether there is a log for debugging.
func (e environment) debug() bool { return strings.EqualFold(e.get("DEBUG"), "true") }

// source takes over the lines K=V of a file, as crudely as Xtesting does: of
// a value with more = they are lost.
func (e environment) source(content string) {
	for line := range strings.Lines(content) {
		if !strings.Contains(line, "=") {
			continue
		}
		parts := strings.Split(strings.ReplaceAll(strings.TrimRight(line, "\"\n"), "export ", ""), "=")
		e[strings.Trim(parts[0], `"' `)] = strings.Trim(strings.Join(parts[1:], ""), `"' `)
	}
}
