package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/anuket-project/xtci/testcases"
)

// test runs one case: requirements, run, table, clean, publish, push. An error
// ends the program.
func (r *runTests) test(c *testcases.Case) (status, error) {
	one := &attempt{of: c, status: statusSkip, details: map[string]any{}}
	if !r.meets(c) {
		r.sayResult(one)
		return statusSkip, nil
	}
	r.done[c.Name] = one
	r.log("INFO", "Loading test case '%s'...", c.Name)
	d := r.driver(one)
	if why := d.unmet(); why != "" {
		r.logs.log(d.logger, "WARNING", "%s", why)
		r.log("INFO", "Skipping test case '%s'...", c.Name)
		r.sayResult(one)
		return statusSkip, nil
	}
	one.status = statusFail
	err := d.construct()
	if err == nil {
		r.log("INFO", "Running test case '%s'...", c.Name)
		err = d.run()
	}
	if exception, ok := errors.AsType[*raised](err); ok {
		r.log("ERROR", "\n\nPlease fix the testcase %s.\nAll exceptions should be caught by the testcase instead!\n%s", c.Name, traceback(exception.text))
		one.status = statusFail
		return statusFail, nil
	}
	if err != nil {
		return statusFail, err
	}
	r.sayResult(one)
	if !r.noClean {
		r.logs.log(d.logger, "DEBUG", "nothing to clean: this is a stand-in")
	}
	if r.push {
		r.publish(one)
	}
	if r.post {
		r.pushToDB(one)
	}
	return one.status, nil
}

// raised is a Python exception that escapes a driver.
type raised struct{ text string }

func (e *raised) Error() string { return e.text }

// sayResult prints the table of a case's result. Python's logging draws the
// table once for the console and once for the file, and a case without times
// complains each time.
func (r *runTests) sayResult(one *attempt) {
	e := entry{loggerRun, "INFO", "Test result:\n\n" + table(
		[]string{"test case", "project", "duration", "result"},
		[]string{one.of.Name, one.of.Project, one.duration(), string(one.status)}) + "\n"}
	for _, write := range []func(entry){r.logs.toConsole, r.logs.toFile} {
		if one.status != statusSkip && !one.measured() {
			r.logs.log(loggerTestcase, "ERROR", "Please run test before getting the duration")
		}
		write(e)
	}
}

// exists says whether there is such a file.
func exists(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// pythonError is an error of this program in the words of a Python exception.
func pythonError(err error) string { return fmt.Sprintf("Exception: %v", err) }
