package parse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"
)

// resultRow is the one row of the table that Xtesting prints at the end of a
// test case (spec/testapi-xtesting.md, b.6).
var resultRow = regexp.MustCompile(`^\|\s+(\S+)\s+\|\s+\S+\s+\|\s+\S+\s+\|\s+(PASS|FAIL|SKIP)\s+\|$`)

// LoggedResults returns the results that Xtesting's own logs name, by case:
// PASS, FAIL or SKIP. It is what the container would have recorded, had it got
// that far. What was read before an error, which is an *Error, is returned too.
func LoggedResults(files fs.FS) (map[string]string, error) {
	results := map[string]string{}
	names, err := find(files, func(base string) bool {
		return strings.HasSuffix(base, ".log") && base != "e2e.log" && base != "rally.log"
	})
	if err != nil {
		return results, inFile(".", err)
	}
	for _, name := range names {
		if err := readResults(files, name, results); err != nil {
			return results, inFile(name, err)
		}
	}
	return results, nil
}

// isRow says whether a line can be a row of a table. In a long log, few can.
func isRow(line []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(line), []byte("|")) }

func readResults(files fs.FS, name string, results map[string]string) error {
	file, err := files.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := newLineReader(file)
	for {
		line, err := lines.nextOf(isRow)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &Error{Line: lines.number, Err: err}
		}
		m := resultRow.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || len(results) >= maxErrors {
			continue
		}
		if before, ok := results[m[1]]; ok && before != m[2] {
			return &Error{Line: lines.number, Err: fmt.Errorf("it says %s of %s, after %s was said before", m[2], m[1], before)}
		}
		results[m[1]] = m[2]
	}
}
