package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// mssPrefix begins the names of figures that were measured at one maximum
// segment size, such as "MSS 96" (spec/results.md, section 5).
const mssPrefix = "MSS "

// Size of the plot and its margins, in the units of its drawing.
const (
	plotWidth, plotHeight = 760, 400
	plotLeft, plotRight   = 72, 36
	plotTop, plotBottom   = 32, 48
)

// What is taken for a measurement; anything else in a file leaves a gap.
const (
	minRate, maxRate = 1e-3, 1e9 // in Mbit/s, or whatever the tool's unit is
	maxMSS           = 65535     // of TCP (RFC 9293, section 3.7.1)
	maxSeries        = 20        // netperf has 10
)

// logRatio is the ratio of the biggest to the smallest figure from which the
// axis is logarithmic: paths within a node are some 100 times as fast.
const logRatio = 20

// A plot is a line plot of throughput over segment size.
type plot struct {
	Width, Height            int
	Left, Right, Top, Bottom int // the frame
	Unit                     string
	Logarithmic              bool
	X, Y                     []tick
	Series                   []series
	Rows                     []plotRow // every figure of the plot
	Description              string
}

// A plotRow has the figures at one segment size, one for each series.
type plotRow struct {
	Name  string
	Cells []string
}

type tick struct {
	At    string
	Label string
}

type series struct {
	Index  int // selects colour and dashes
	Name   string
	Path   string
	Points []point
	Label  point // where the line is numbered
	Number string
	labelY float64
	Range  string
}

type point struct{ X, Y string }

type measurement struct{ mss, value float64 }

// newPlot plots the checks that have figures at several segment sizes. A
// figure of 0 was not measured and leaves a gap. Without figures there is no
// plot.
func newPlot(checks []testcases.Check) *plot {
	p := &plot{
		Width: plotWidth, Height: plotHeight,
		Left: plotLeft, Right: plotWidth - plotRight, Top: plotTop, Bottom: plotHeight - plotBottom,
	}
	x, y := newSpan(), newSpan()
	var lines [][]measurement
	for i := range checks {
		samples, unit := samplesOf(&checks[i])
		if len(samples) < 2 || len(lines) == maxSeries {
			continue
		}
		for _, s := range samples {
			x.add(s.mss)
			if s.value > 0 {
				y.add(s.value)
			}
		}
		p.Unit = unit
		lines = append(lines, samples)
		p.Series = append(p.Series, newSeries(len(p.Series), checks[i].Name))
	}
	if len(lines) == 0 || y.empty() || x.low == x.high {
		return nil
	}
	p.Logarithmic = y.high/y.low > logRatio
	toX := scale(x.low, x.high, float64(p.Left), float64(p.Right), false)
	values := linearTicks(y.high)
	if p.Logarithmic {
		values = logarithmicTicks(y)
	}
	toY := scale(values[0], values[len(values)-1], float64(p.Bottom), float64(p.Top), p.Logarithmic)
	for _, v := range values {
		p.Y = append(p.Y, tick{At: coordinate(toY(v)), Label: number(v)})
	}
	p.X = xTicks(x, toX)
	for i, samples := range lines {
		p.Series[i].draw(samples, toX, toY)
	}
	spreadLabels(p.Series)
	p.Rows = plotRows(lines)
	p.Description = fmt.Sprintf("%d network paths, throughput in %s over maximum segment sizes of %g to %g bytes. The table below it has every figure.",
		len(lines), p.Unit, x.low, x.high)
	return p
}

// samplesOf are the figures of a check that were measured at a segment size.
func samplesOf(c *testcases.Check) (samples []measurement, unit string) {
	for _, f := range c.Figures {
		size, ok := strings.CutPrefix(f.Name, mssPrefix)
		if !ok {
			continue
		}
		value := f.Value
		if !(value >= minRate && value <= maxRate) { // NaN is neither
			value = 0
		}
		mss, err := strconv.ParseFloat(size, 64)
		if err != nil || !(mss >= 1 && mss <= maxMSS) {
			continue
		}
		samples, unit = append(samples, measurement{mss, value}), f.Unit
	}
	return samples, unit
}

// newSeries numbers a series as the tool does, or else by its place.
func newSeries(index int, name string) series {
	s := series{Index: index % 10, Number: strconv.Itoa(index + 1), Name: name}
	if n, rest, ok := strings.Cut(name, " "); ok && len(n) < 3 {
		if _, err := strconv.Atoi(n); err == nil {
			s.Number, s.Name = n, rest
		}
	}
	return s
}

// plotRows turns the lines into a table with a row for each segment size.
func plotRows(lines [][]measurement) []plotRow {
	cells := make(map[float64][]string)
	for i, samples := range lines {
		for _, s := range samples {
			if cells[s.mss] == nil {
				cells[s.mss] = make([]string, len(lines))
			}
			cells[s.mss][i] = number(s.value)
		}
	}
	var rows []plotRow
	for _, mss := range slices.Sorted(maps.Keys(cells)) {
		rows = append(rows, plotRow{Name: number(mss), Cells: cells[mss]})
	}
	return rows
}

// unplotted returns checks without the figures that the plot and its table
// show already.
func unplotted(checks []testcases.Check) []testcases.Check {
	rest := slices.Clone(checks)
	for i := range rest {
		if samples, _ := samplesOf(&rest[i]); len(samples) < 2 {
			continue
		}
		rest[i].Figures = slices.DeleteFunc(slices.Clone(rest[i].Figures), func(f testcases.Figure) bool {
			return strings.HasPrefix(f.Name, mssPrefix)
		})
	}
	return rest
}

// draw makes the line of a series, broken where nothing was measured.
func (s *series) draw(samples []measurement, toX, toY func(float64) float64) {
	var path strings.Builder
	measured := newSpan()
	move := "M"
	for _, sample := range samples {
		if sample.value == 0 {
			move = "M"
			continue
		}
		measured.add(sample.value)
		at := point{coordinate(toX(sample.mss)), coordinate(toY(sample.value))}
		path.WriteString(move + at.X + " " + at.Y)
		move = "L"
		s.Points = append(s.Points, at)
		s.Label, s.labelY = at, toY(sample.value)
	}
	s.Path = path.String()
	if measured.empty() {
		s.Range = "not measured"
	} else {
		s.Range = number(measured.low) + " to " + number(measured.high)
	}
}

// A span is the smallest interval that holds some values.
type span struct{ low, high float64 }

func newSpan() span { return span{math.Inf(1), math.Inf(-1)} }

func (s *span) add(v float64) { s.low, s.high = min(s.low, v), max(s.high, v) }

func (s span) empty() bool { return s.low > s.high }

// scale maps [low, high] to [from, to], by their logarithms if asked to.
func scale(low, high, from, to float64, logarithmic bool) func(float64) float64 {
	if logarithmic {
		low, high = math.Log10(low), math.Log10(high)
	}
	return func(v float64) float64 {
		if logarithmic {
			v = math.Log10(v)
		}
		return from + (v-low)/(high-low)*(to-from)
	}
}

// linearTicks are round values from 0 up to the highest one or beyond.
func linearTicks(high float64) []float64 {
	magnitude := math.Pow(10, math.Floor(math.Log10(high)))
	step := magnitude / 5
	for _, factor := range []float64{0.5, 1, 2} {
		if high/step <= 6 {
			break
		}
		step = factor * magnitude
	}
	values := []float64{0}
	for n := 1.0; values[len(values)-1] < high; n++ {
		values = append(values, n*step)
	}
	return values
}

// logarithmicTicks are round values around a span: 1, 2 and 5 times the
// powers of ten, or only the powers between the outer two of a wide span.
func logarithmicTicks(s span) []float64 {
	var values []float64
	for e := math.Floor(math.Log10(s.low)); len(values) == 0 || values[len(values)-1] < s.high; e++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, e)
			switch {
			case len(values) > 0 && values[len(values)-1] >= s.high:
			case v <= s.low:
				values = []float64{v}
			default:
				values = append(values, v)
			}
		}
	}
	if len(values) <= 7 {
		return values
	}
	last := len(values) - 1
	return slices.DeleteFunc(values, func(v float64) bool {
		e := math.Log10(v)
		return v != values[0] && v != values[last] && math.Abs(e-math.Round(e)) > 1e-9
	})
}

// spreadLabels moves the numbers at the ends of the lines apart, downwards,
// so that lines that end together can be told.
func spreadLabels(lines []series) {
	const gap = 13
	order := make([]*series, 0, len(lines))
	for i := range lines {
		if lines[i].Path != "" {
			order = append(order, &lines[i])
		}
	}
	slices.SortStableFunc(order, func(a, b *series) int { return cmp.Compare(a.labelY, b.labelY) })
	for i, s := range order {
		if i > 0 {
			s.labelY = max(s.labelY, order[i-1].labelY+gap)
		}
		s.Label.Y = coordinate(s.labelY)
	}
}

// xTicks are some seven evenly spaced segment sizes.
func xTicks(s span, toX func(float64) float64) []tick {
	const intervals = 6
	ticks := make([]tick, intervals+1)
	for i := range ticks {
		v := math.Round(s.low + (s.high-s.low)*float64(i)/intervals)
		ticks[i] = tick{At: coordinate(toX(v)), Label: number(v)}
	}
	return ticks
}

func coordinate(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// number writes a value for people: with separators when it is big, and with
// no more digits than it has.
func number(v float64) string {
	switch {
	case finite(v) == nil:
		return "no number"
	case math.Abs(v) >= 1e15:
		return strconv.FormatFloat(v, 'g', 4, 64)
	case math.Abs(v) >= 1000:
		return thousands(int(math.Round(v)))
	default:
		return strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64)
	}
}

// A figureTable has a row for each check and a column for each figure, in
// the order that the checks bring them.
type figureTable struct {
	Result  string // what the result column says
	Timed   bool   // whether any check has a duration
	Unit    string // of all figures, if they have the same
	Columns []column
	Rows    []figureRow
}

type column struct{ Name, Unit string }

type figureRow struct {
	Check  string
	Badge  badge
	Reason string
	Time   string
	Cells  []string
}

// maxColumns bounds the columns of a table; netperf has 23 figures.
const maxColumns = 64

func newFigureTable(result string, checks []testcases.Check) *figureTable {
	if len(checks) == 0 {
		return nil
	}
	t := &figureTable{Result: result, Columns: columnsOf(checks)}
	decimals := make(map[column]int)
	for i := range checks {
		for _, f := range checks[i].Figures {
			c := column{f.Name, f.Unit}
			decimals[c] = max(decimals[c], decimalsOf(f.Value))
		}
	}
	for i := range checks[:min(len(checks), maxRows)] {
		c := &checks[i]
		row := figureRow{Check: c.Name, Badge: figureBadge(c), Reason: c.Reason, Time: duration(c.Seconds), Cells: make([]string, len(t.Columns))}
		for _, f := range c.Figures {
			if at := slices.Index(t.Columns, column{f.Name, f.Unit}); at >= 0 {
				row.Cells[at] = decimal(f.Value, decimals[t.Columns[at]])
			}
		}
		t.Timed = t.Timed || row.Time != ""
		t.Rows = append(t.Rows, row)
	}
	t.shareUnit()
	return t
}

// shareUnit names the unit once if all columns have the same.
func (t *figureTable) shareUnit() {
	for _, c := range t.Columns {
		if c.Unit != t.Columns[0].Unit {
			return
		}
	}
	for i := range t.Columns {
		t.Unit, t.Columns[i].Unit = t.Columns[i].Unit, ""
	}
}

func columnsOf(checks []testcases.Check) []column {
	var columns []column
	for i := range checks {
		for _, f := range checks[i].Figures {
			if c := (column{f.Name, f.Unit}); len(columns) < maxColumns && !slices.Contains(columns, c) {
				columns = append(columns, c)
			}
		}
	}
	return columns
}

// decimalsOf is how many decimals a figure is worth showing with, at most 3.
func decimalsOf(v float64) int {
	if finite(v) == nil || math.Abs(v) >= 1000 {
		return 0
	}
	_, fraction, _ := strings.Cut(number(v), ".")
	return len(fraction)
}

// decimal writes a figure with as many decimals as its column has.
func decimal(v float64, decimals int) string {
	if finite(v) == nil || math.Abs(v) >= 1000 {
		return number(v)
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}
