package testcases

import "time"

// recordTime is how Xtesting writes times: local to the container, without
// zone (spec/testapi-xtesting.md, b.5).
const recordTime = "2006-01-02 15:04:05"

// elapsed returns the seconds between two times of a record, 0 when either
// is not a time.
func elapsed(start, stop string) float64 {
	from, err := time.Parse(recordTime, start)
	if err != nil {
		return 0
	}
	to, err := time.Parse(recordTime, stop)
	if err != nil || to.Before(from) {
		return 0
	}
	return to.Sub(from).Seconds()
}

// text is a nullable text of a record.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
