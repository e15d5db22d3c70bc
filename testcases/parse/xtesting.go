package parse

import (
	"errors"
	"io"
	"io/fs"
	"regexp"
	"strings"
)

// resultRow is the one row of the table that Xtesting prints at the end of a
// test case (spec/testapi-xtesting.md, b.6).
var resultRow = regexp.MustCompile(`^\|\s+(\S+)\s+\|\s+\S+\s+\|\s+\S+\s+\|\s+(PASS|FAIL|SKIP)\s+\|$`)

// LogResult returns the result that Xtesting's own log names for a case:
// PASS, FAIL, SKIP, or nothing when the log has no such table. It is what the
// container would have recorded, had it got that far.
func LogResult(files fs.FS, caseName string) (string, error) {
	names, err := find(files, func(base string) bool {
		return strings.HasSuffix(base, ".log") && base != "e2e.log" && base != "rally.log"
	})
	if err != nil {
		return "", err
	}
	result := ""
	for _, name := range names {
		found, err := resultIn(files, name, caseName)
		if err != nil {
			return "", err
		}
		if found != "" {
			result = found
		}
	}
	return result, nil
}

func resultIn(files fs.FS, name, caseName string) (string, error) {
	file, err := files.Open(name)
	if err != nil {
		return "", &Error{File: name, Err: err}
	}
	defer file.Close()
	lines, result := newLineReader(file), ""
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			return result, nil
		}
		if err != nil {
			return "", &Error{File: name, Line: lines.number, Err: err}
		}
		if m := resultRow.FindStringSubmatch(strings.TrimSpace(line)); m != nil && m[1] == caseName {
			result = m[2]
		}
	}
}
