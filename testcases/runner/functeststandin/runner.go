package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/anuket-project/xtci/testcases"
)

// release is the one that the stand-in stands in for.
const release = "v1.23"

// A tier is a container's group of cases.
type tier struct {
	name  string
	cases []*testcases.Case
}

// A status is what became of a case.
type status string

const (
	statusPass status = "PASS"
	statusFail status = "FAIL"
	statusSkip status = "SKIP"
)

// A runTests is one run of run_tests.
type runTests struct {
	*app
	catalog             *testcases.Catalog
	tiers               []tier
	wanted              string
	given               bool // whether there was a -t
	noClean, push, post bool
	done                map[string]*attempt
	result              status
}

// An attempt is one case that was run, or skipped.
type attempt struct {
	of          *testcases.Case
	status      status
	start, stop time.Time // zero when the driver did not set them
	details     map[string]any
}

// errEnd ends the program at once, with its status.
type errEnd struct{ status int }

func (e *errEnd) Error() string { return fmt.Sprintf("the program ends with status %d", e.status) }

const usage = `usage: run_tests [-h] [-t TEST] [-n] [-r] [-p]

STAND-IN for a container of functest-kubernetes: it tests nothing.

  -h, --help            show this help message and exit
  -t TEST, --test TEST  Test case or tier (group of tests) to be executed.
  -n, --noclean         Do not clean resources after running each test.
  -r, --report          Push results to database.
  -p, --push            Push artifacts to S3 repository.
`

// runTests is the program run_tests.
func (a *app) runTests(args []string, stderr io.Writer) int {
	r := &runTests{app: a, done: map[string]*attempt{}, result: statusPass}
	if help, err := r.parse(args); err != nil {
		fmt.Fprintf(stderr, "%srun_tests: error: %v\n", usage, err)
		return exitArgument
	} else if help {
		fmt.Fprint(a.console, usage)
		return exitOK
	}
	if err := os.MkdirAll(a.results(), 0o755); err != nil {
		fmt.Fprintln(a.console, "Cannot create "+resultsDir)
		return exitRunError
	}
	if err := a.openLogs(logName, debugLogName); err != nil {
		fmt.Fprintln(stderr, err)
		return exitStandin
	}
	defer a.logs.close()
	if err := r.load(); err != nil {
		fmt.Fprintln(stderr, err)
		return exitStandin
	}
	err := r.all()
	if end, ok := errors.AsType[*errEnd](err); ok {
		return end.status
	}
	if err != nil || r.result != statusPass {
		return exitError
	}
	return exitOK
}

// parse reads the arguments as argparse does, letters together or not.
func (r *runTests) parse(args []string) (help bool, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		name, value, joined := strings.Cut(arg, "=")
		if len(arg) > 2 && arg[0] == '-' && arg[1] != '-' { // -pr, -tCASE
			if arg[1] == 't' {
				name, value, joined = "-t", strings.TrimPrefix(arg[2:], "="), true
			} else {
				args = slices.Insert(slices.Clone(args), i+1, "-"+arg[2:])
				name = arg[:2]
			}
		}
		switch name {
		case "-h", "--help":
			return true, nil
		case "-t", "--test":
			if !joined {
				if i++; i == len(args) {
					return false, errors.New("argument -t/--test: expected one argument")
				}
				value = args[i]
			}
			r.wanted, r.given = value, true
		case "-n", "--noclean":
			r.noClean = true
		case "-r", "--report":
			r.post = true
		case "-p", "--push":
			r.push = true
		default:
			return false, fmt.Errorf("unrecognized arguments: %s", arg)
		}
	}
	return false, nil
}

// load reads what cases this container has: folders of tiers with folders of
// cases.
func (r *runTests) load() error {
	catalog, err := testcases.Load(release)
	if err != nil {
		return err
	}
	r.catalog = catalog
	for _, phase := range catalog.Phases {
		if _, err := os.Stat(r.at(recordingDir + "/" + phase.Name)); err != nil {
			continue
		}
		t := tier{name: phase.Name}
		for i := range catalog.Cases {
			if c := &catalog.Cases[i]; c.Tier == phase.Name {
				t.cases = append(t.cases, c)
			}
		}
		r.tiers = append(r.tiers, t)
	}
	if len(r.tiers) == 0 {
		return fmt.Errorf("%s has no tier: this is not the stand-in's image", r.at(recordingDir))
	}
	return nil
}

func (r *runTests) log(level, format string, args ...any) {
	r.logs.log(loggerRun, level, format, args...)
}

// all does what the arguments say.
func (r *runTests) all() error {
	r.log("INFO", "Deployment description:\n\n%s\n", r.env.table())
	if raw, err := os.ReadFile(r.at(envFile)); err == nil {
		r.env.source(string(raw))
	}
	wanted := r.wanted
	if !r.given {
		wanted = "None"
	}
	if _, c := r.find(wanted); c != nil {
		return r.one(c)
	}
	shown := r.tiers // in the table at the end
	var which []tier // is run
	at := slices.IndexFunc(r.tiers, func(t tier) bool { return t.name == wanted })
	switch {
	case at >= 0:
		shown = r.tiers[at : at+1]
		which = shown
	case wanted == everyCase:
		r.announce()
		which = slices.DeleteFunc(slices.Clone(r.tiers), func(t tier) bool { return len(r.supported(t)) == 0 })
	default:
		r.log("ERROR", "Unknown test case or tier '%s', or not supported by the given scenario '%s'.", wanted, r.env.get("DEPLOY_SCENARIO"))
		r.result = statusFail
		return nil
	}
	for _, t := range which {
		if err := r.tier(t); err != nil {
			return err
		}
	}
	r.summary(shown)
	r.sayExit()
	return nil
}

// one runs the only case that is wanted.
func (r *runTests) one(c *testcases.Case) error {
	status, err := r.test(c)
	if err != nil {
		return err
	}
	if status == statusFail {
		r.failed(c)
	}
	r.sayExit()
	return nil
}

func (r *runTests) failed(c *testcases.Case) {
	r.log("ERROR", "The test case '%s' failed.", c.Name)
	r.result = statusFail
}

func (r *runTests) sayExit() {
	value := "Result.EX_OK"
	if r.result != statusPass {
		value = "Result.EX_ERROR"
	}
	r.log("INFO", "Execution exit value: %s", value)
}

func (r *runTests) find(name string) (tierName string, c *testcases.Case) {
	for _, t := range r.tiers {
		for _, c := range t.cases {
			if c.Name == name {
				return t.name, c
			}
		}
	}
	return "", nil
}

// tier runs the cases of a tier. None of functest-kubernetes is blocking.
func (r *runTests) tier(t tier) error {
	supported := r.supported(t)
	if len(supported) == 0 {
		r.log("INFO", "There are no supported test cases in this tier for the given scenario")
		r.result = statusFail
	}
	for _, c := range supported {
		status, err := r.test(c)
		if err != nil {
			return err
		}
		if status == statusFail {
			r.failed(c)
		}
	}
	return nil
}

// supported are the cases of a tier whose dependencies are met.
func (r *runTests) supported(t tier) []*testcases.Case {
	return slices.DeleteFunc(slices.Clone(t.cases), func(c *testcases.Case) bool { return !r.meets(c) })
}

// meets says whether a case's dependencies are met: variables that match
// expressions, searched for.
func (r *runTests) meets(c *testcases.Case) bool {
	for name, expression := range c.Dependencies {
		if met, err := regexp.MatchString(expression, r.env.get(name)); err != nil || !met {
			return false
		}
	}
	return true
}

// announce lists what "all" is.
func (r *runTests) announce() {
	var rows [][]string
	for _, t := range r.tiers {
		var names []string
		for _, c := range r.supported(t) {
			names = append(names, c.Name)
		}
		if len(names) > 0 {
			rows = append(rows, []string{t.name, "Stand-in for " + t.name, wrap(strings.Join(names, " "), 40)})
		}
	}
	r.log("INFO", "TESTS TO BE EXECUTED:\n\n%s\n", table([]string{"tiers", "description", "testcases"}, rows...))
}

// summary is the table after the cases of tiers.
func (r *runTests) summary(tiers []tier) {
	var rows, skipped [][]string
	for _, t := range tiers {
		for _, c := range t.cases {
			row := []string{c.Name, c.Project, t.name, "00:00", string(statusSkip)}
			if one := r.done[c.Name]; one != nil {
				row[3], row[4] = one.duration(), string(one.status)
			}
			if r.meets(c) {
				rows = append(rows, row)
			} else {
				skipped = append(skipped, row)
			}
		}
	}
	rows = append(rows, skipped...)
	r.log("INFO", "Xtesting report:\n\n%s\n", table([]string{"test case", "project", "tier", "duration", "result"}, rows...))
}

// measured says whether the driver set both times.
func (a *attempt) measured() bool { return !a.start.IsZero() && !a.stop.IsZero() }

func (a *attempt) duration() string {
	switch {
	case a.status == statusSkip:
		return "00:00"
	case !a.measured():
		return "XX:XX"
	}
	seconds := int(a.stop.Sub(a.start).Seconds())
	return fmt.Sprintf("%02d:%02d", seconds/60, seconds%60)
}

// table is Xtesting's table of its variables.
func (e environment) table() string {
	var rows [][]string
	for _, input := range inputs {
		rows = append(rows, []string{input.name, wrap(e.get(input.name), 50)})
	}
	return table([]string{"env var", "value"}, rows...)
}
