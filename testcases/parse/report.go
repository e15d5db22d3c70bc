package parse

import (
	"bytes"
	"errors"
	"io"

	"github.com/anuket-project/xtci/testcases"
)

// A report is what a security tool prints as one JSON value.
type report interface {
	// read reads the value; what was read before an error stays.
	read(*literalReader) error
	// recognised says whether what was read is the tool's report at all.
	recognised() bool
	// gist is what the report says of the cluster: two copies of a report
	// have the same.
	gist() string
}

// recordFile stands for the name of a file where evidence comes from the
// details of the container's record.
const recordFile = "details of the record"

// A reportSearch looks for the report of a tool in one kind of place after
// the other, and takes the first that is whole. All that it finds must be the
// same: what is in one place cannot hide what is in another.
type reportSearch[R report] struct {
	fresh func() R

	report R
	file   string
	found  bool // a report, at least in part
	whole  bool
	errs   []error
	others []string // places that hold another report
}

// take reads one value.
func (s *reportSearch[R]) take(file string, l *literalReader, more ...func() error) {
	r := s.fresh()
	err := r.read(l)
	for _, check := range more {
		if err == nil {
			err = check()
		}
	}
	if !r.recognised() {
		// logs hold many a line that starts like a value
		if err != nil && !l.python {
			s.errs = append(s.errs, inFile(file, err))
		}
		return
	}
	if err != nil {
		s.errs = append(s.errs, inFile(file, err))
	}
	switch {
	case !s.found || err == nil && !s.whole:
		s.report, s.file, s.found, s.whole = r, file, true, err == nil
	case err == nil && r.gist() != s.report.gist() && len(s.others) < maxErrors:
		s.others = append(s.others, file)
	}
}

// contradict names the places that hold another report than the one taken.
func (s *reportSearch[R]) contradict(c *collector) {
	for _, other := range s.others {
		c.find(testcases.FindingIncomplete, testcases.Source{File: other}, "holds another report than %s: which of them is of this run cannot be told", s.file)
	}
}

// inJSONFiles looks at the JSON files. A file of other JSON is no report.
func (s *reportSearch[R]) inJSONFiles(in Input) {
	names, err := findFiles(in, withExtension(".json"))
	s.fail(err)
	for _, name := range names {
		s.inFile(in, name, func(r io.Reader) error {
			l := newLiteralReader(r)
			if _, err := l.peek(); errors.Is(err, errCut) {
				return errors.New("empty: no JSON in it")
			}
			s.take(name, l, l.end)
			return nil
		})
	}
}

// inLogs looks at the logs.
func (s *reportSearch[R]) inLogs(in Input) {
	names, err := findLogs(in)
	s.fail(err)
	for _, name := range names {
		s.inFile(in, name, func(r io.Reader) error {
			return eachLiteral(r, func(l *literalReader) { s.take(name, l) })
		})
	}
}

// inDetails looks at what the container's record carries.
func (s *reportSearch[R]) inDetails(in Input) {
	if len(bytes.TrimSpace(in.Details)) == 0 {
		return
	}
	l := newLiteralReader(bytes.NewReader(in.Details))
	s.take(recordFile, l, l.end)
}

func (s *reportSearch[R]) inFile(in Input, name string, read func(io.Reader) error) {
	file, err := in.Files.Open(name)
	if err != nil {
		s.fail(inFile(name, err))
		return
	}
	defer file.Close()
	s.fail(inFile(name, read(file)))
}

func (s *reportSearch[R]) fail(err error) {
	if err != nil {
		s.errs = append(s.errs, err)
	}
}

// missing says why there is no report: the driver broke, or it is not there.
func (s *reportSearch[R]) missing(in Input, c *collector, wanted, leaves string) {
	if len(s.errs) > 0 {
		return // said already
	}
	names, err := findLogs(in)
	c.failWith(err)
	for _, name := range names {
		broke, err := findBreakdown(in.Files, name)
		c.failWith(inFile(name, err))
		if broke.line > 0 {
			c.fail(name, broke.line, "no report: the driver broke: %s", broke.reason)
			return
		}
	}
	c.fail(wanted, 0, "no report found: the container leaves %s", leaves)
}
