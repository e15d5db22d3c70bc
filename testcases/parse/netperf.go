package parse

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// parseNetperf reads netperf.csv: one row is one test over one network path.
// There is neither pass nor fail in it, and RC2 names no figure to reach: a
// row was measured or was not (spec/results.md, 5).
func parseNetperf(in Input) (testcases.Evidence, error) {
	var p netperfParser
	names, err := findFiles(in, withExtension(".csv"))
	p.failWith(err)
	if at := slices.IndexFunc(names, func(name string) bool { return path.Base(name) == "netperf.csv" }); at > 0 {
		names[0], names[at] = names[at], names[0]
	}
	for i, name := range names {
		table := netperfParser{measured: map[string]bool{}}
		err := inFile(name, table.readFile(in, name))
		if i == 0 {
			p = table
		} else if err == nil && table.gist() != p.gist() {
			p.find(testcases.FindingIncomplete, testcases.Source{File: name}, "holds other rows or figures than %s: which of them is of this run cannot be told", names[0])
		}
		if i > 0 {
			p.failAll(table.errs)
		}
		p.failWith(err)
	}
	if len(names) == 0 && err == nil {
		p.fail("netperf.csv", 0, "none found: the container leaves the figures of its 18 tests in it")
	}
	if len(p.evidence.Checks) > 0 {
		p.comparePaths()
	}
	return p.result()
}

// gist is what the table says of the platform: copies have the same.
func (p *netperfParser) gist() string {
	var rows strings.Builder
	for _, check := range p.evidence.Checks {
		fmt.Fprintf(&rows, "%q %s %v\n", check.Name, check.Status, check.Figures)
	}
	return rows.String()
}

func (p *netperfParser) failAll(errs []error) {
	for _, err := range errs {
		p.failWith(err)
	}
}

// networkPaths are the five of RC2 2.2, in netperf's words: a VM is a node.
var networkPaths = []string{
	"Same VM using Pod IP",
	"Same VM using Virtual IP",
	"Remote VM using Pod IP",
	"Remote VM using Virtual IP",
	"Hairpin Pod to own Virtual IP",
}

const (
	maxNetperfFile = 1 << 20 // bytes; real files have 3 kB
	minNetperfRows = 13      // of the layout without SCTP; 18 with it
	unitNetperf    = "Mbit/s"
	minBandwidth   = 0.001 // Mbit/s; netperf's figures have two decimals: less was not measured
)

type netperfParser struct {
	collector
	measured map[string]bool // test to whether it has a figure
}

// netperfFile is one file and what its header says.
type netperfFile struct {
	*netperfParser
	name   string
	header bool
	sizes  []string // maximum segment sizes, the columns
	rows   int
	last   int // number of the row read last
}

func (p *netperfParser) readFile(in Input, name string) error {
	file, err := in.Files.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	f := netperfFile{netperfParser: p, name: name}
	limited := &io.LimitedReader{R: file, N: maxNetperfFile + 1}
	rows := csv.NewReader(limited)
	rows.FieldsPerRecord = -1
	rows.TrimLeadingSpace = true
	rows.ReuseRecord = true
	for {
		row, err := rows.Read()
		if limited.N == 0 {
			return fmt.Errorf("longer than %d bytes: not a table of netperf", maxNetperfFile)
		}
		if errors.Is(err, io.EOF) {
			return f.end()
		}
		if bad, ok := errors.AsType[*csv.ParseError](err); ok {
			return &Error{Line: bad.Line, Err: fmt.Errorf("not a table of comma-separated values: %w", bad.Err)}
		}
		if err != nil {
			return err
		}
		line, _ := rows.FieldPos(0)
		f.take(line, row)
	}
}

func (f *netperfFile) take(line int, cells []string) {
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	comma := cells[len(cells)-1] == ""
	if comma {
		cells = cells[:len(cells)-1]
	}
	switch {
	case len(cells) == 0:
	case cells[0] == "MSS" && !f.header:
		f.takeHeader(line, cells, comma)
	default:
		if !comma {
			f.note(line, "does not end with a comma, as netperf's rows do")
		}
		if err := f.takeRow(line, cells); err != nil {
			f.failWith(&Error{File: f.name, Line: line, Err: err})
		}
	}
}

func (f *netperfFile) note(line int, format string, args ...any) {
	f.find(testcases.FindingNote, testcases.Source{File: f.name, Line: line}, format, args...)
}

func (f *netperfFile) takeHeader(line int, cells []string, comma bool) {
	f.header = true
	if !comma {
		f.note(line, "the header does not end with a comma, as netperf's does")
	}
	if len(cells) > 1 && cells[1] == "Maximum" {
		cells = cells[1:]
	}
	for _, size := range cells[1:] {
		if n, err := strconv.Atoi(size); err != nil || n <= 0 {
			f.failWith(&Error{File: f.name, Line: line, Err: fmt.Errorf("the header holds %q where a maximum segment size (MSS) was expected", shorten(size, 40))})
			return
		}
		f.sizes = append(f.sizes, size)
	}
}

// netperfLabel is such as "3 iperf TCP. Remote VM using Pod IP".
var netperfLabel = regexp.MustCompile(`^(\d{1,4})\s+([A-Za-z][A-Za-z0-9 ]*\. \S.*)$`)

func (f *netperfFile) takeRow(line int, cells []string) error {
	label := netperfLabel.FindStringSubmatch(cells[0])
	if label == nil {
		return fmt.Errorf("%q is neither netperf's header nor the label of a test", shorten(cells[0], 80))
	}
	number, _ := strconv.Atoi(label[1]) // at most four digits
	if number != f.last+1 {
		f.find(testcases.FindingIncomplete, testcases.Source{File: f.name, Line: line}, "row %d follows row %d: rows were lost or added", number, f.last)
	}
	f.last = number
	f.rows++
	if len(cells) < 2 {
		return fmt.Errorf("%s: the row has no maximum: it was cut off", label[2])
	}
	maximum, err := bandwidth(cells[1])
	if err != nil {
		return fmt.Errorf("%s: maximum %w", label[2], err)
	}
	figures, err := f.figures(line, maximum, cells[2:])
	if err != nil {
		return fmt.Errorf("%s: %w", label[2], err)
	}
	check := testcases.Check{
		Name: label[2], Status: testcases.StatusPass, Informative: true,
		Source:  testcases.Source{File: f.name, Line: line},
		Figures: figures,
	}
	isMeasured := maximum >= minBandwidth
	if !isMeasured {
		check.Status, check.Class, check.Reason = testcases.StatusSkip, testcases.ClassSkipped, notMeasured(label[2], maximum)
	}
	f.measured[check.Name] = f.measured[check.Name] || isMeasured
	f.add(check)
	return nil
}

func notMeasured(test string, value float64) string {
	if strings.HasPrefix(test, "netperf.") && strings.HasSuffix(test, "Virtual IP") {
		return fmt.Sprintf("not measured: value %g, by design: the program netperf cannot use the virtual IP of a service", value)
	}
	return fmt.Sprintf("not measured: value %g: the test failed, or its output could not be read", value)
}

// figures are the maximum, and the value at each maximum segment size where
// the test goes through them all.
func (f *netperfFile) figures(line int, maximum float64, cells []string) ([]testcases.Figure, error) {
	figures := []testcases.Figure{{Name: "maximum", Value: maximum, Unit: unitNetperf}}
	empty, zero, above := 0, 0, 0
	for i, cell := range cells {
		if cell == "" {
			empty++
			continue
		}
		value, err := bandwidth(cell)
		if err != nil {
			return nil, fmt.Errorf("value %d %w", i+1, err)
		}
		if value < minBandwidth {
			zero++
		}
		if value > maximum+1 {
			above++
		}
		if len(cells) > 1 {
			name := fmt.Sprintf("value %d", i+1) // beyond the header
			if i < len(f.sizes) {
				name = "MSS " + f.sizes[i]
			}
			figures = append(figures, testcases.Figure{Name: name, Value: value, Unit: unitNetperf})
		}
	}
	if n := len(cells) - empty; len(cells) != 1 && n != len(f.sizes) {
		f.note(line, "ragged: %d values for %d maximum segment sizes", n, len(f.sizes))
	}
	if zero > 0 && maximum >= minBandwidth {
		f.note(line, "%d of %d values are 0: not measured", zero, len(cells))
	}
	if above > 0 {
		f.note(line, "%d values are above the maximum that the row states", above)
	}
	return figures, nil
}

// bandwidth reads a figure in Mbit/s.
func bandwidth(cell string) (float64, error) {
	value, err := strconv.ParseFloat(cell, 64)
	if err != nil || value < 0 || math.IsNaN(value) || math.IsInf(value, 0) {
		return 0, fmt.Errorf("%q is not a bandwidth", shorten(cell, 40))
	}
	return value, nil
}

func (f *netperfFile) end() error {
	switch {
	case f.rows == 0 && !f.header:
		return errors.New("empty: netperf's header and rows are missing")
	case f.rows == 0:
		return errors.New("holds no row: no test was run")
	case !f.header:
		return &Error{Line: 1, Err: errors.New("netperf's header, MSS, is missing")}
	case f.rows < minNetperfRows:
		f.find(testcases.FindingIncomplete, testcases.Source{File: f.name}, "holds %d rows, netperf writes at least %d: it was cut off", f.rows, minNetperfRows)
	}
	return nil
}

// comparePaths makes sure that RC2's five network paths were measured over
// TCP, and that netperf's other tests are listed: iperf over UDP and netperf,
// which have no hairpin. These may read 0, some by design.
func (p *netperfParser) comparePaths() {
	for _, program := range []string{"iperf UDP. ", "netperf. "} {
		for _, path := range networkPaths[:4] {
			if _, listed := p.measured[program+path]; !listed {
				p.find(testcases.FindingIncomplete, testcases.Source{}, "no row of %s%s: the file was cut or the test was not run", program, path)
			}
		}
	}
	var missing []string
	for _, path := range networkPaths {
		if !p.measured["iperf TCP. "+path] {
			missing = append(missing, path)
		}
	}
	if len(missing) > 0 {
		p.find(testcases.FindingIncomplete, testcases.Source{}, "%d of the 5 network paths of RC2 2.2 were measured over TCP; not measured: %s",
			len(networkPaths)-len(missing), strings.Join(missing, ", "))
	}
}
