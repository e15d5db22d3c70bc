package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Logs writes what Python's logging would: to the console, and to the log
// files of the results folder.
type logs struct {
	console     io.Writer
	file, debug *os.File // debug may be nil
}

// The names of loggers.
const (
	loggerRun      = "xtesting.ci.run_tests"
	loggerTestcase = "xtesting.core.testcase"
	loggerCampaign = "xtesting.core.campaign"
)

// openLogs opens the log files. They are appended to, as Python does.
func (a *app) openLogs(name, debugName string) (err error) {
	a.logs = &logs{console: a.console}
	const how = os.O_CREATE | os.O_APPEND | os.O_WRONLY
	if a.logs.file, err = os.OpenFile(a.results(name), how, 0o644); err != nil {
		return err
	}
	if a.env.debug() {
		a.logs.debug, err = os.OpenFile(a.results(debugName), how, 0o644)
	}
	return err
}

func (l *logs) close() {
	_ = l.file.Close()
	if l.debug != nil {
		_ = l.debug.Close()
	}
}

// An entry is one message of a logger, without its time.
type entry struct {
	logger, level, text string
}

func (e entry) String() string {
	return fmt.Sprintf("%s - %s - %s - %s\n", time.Now().Format("2006-01-02 15:04:05,000"), e.logger, e.level, e.text)
}

// write logs an entry where the containers' logging.ini sends it: drivers say
// little on the console. That a log cannot be written to stops no container.
func (l *logs) write(e entry) {
	l.toConsole(e)
	l.toFile(e)
}

func (l *logs) toConsole(e entry) {
	quiet := !strings.HasPrefix(e.logger, "xtesting.c") // .ci, .core
	if e.level != "DEBUG" && (!quiet || e.level != "INFO") {
		_, _ = io.WriteString(l.console, e.String())
	}
}

func (l *logs) toFile(e entry) {
	if e.level != "DEBUG" {
		_, _ = l.file.WriteString(e.String())
	}
	if l.debug != nil {
		_, _ = l.debug.WriteString(e.String())
	}
}

func (l *logs) log(logger, level, format string, args ...any) {
	l.write(entry{logger, level, fmt.Sprintf(format, args...)})
}

// traceback is what Python adds to a message about an exception.
func traceback(exception string) string {
	return "\nTraceback (most recent call last):\n  File \"<stand-in>\", line 1, in <module>\n" + exception
}
