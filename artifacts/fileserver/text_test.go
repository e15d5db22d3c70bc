package fileserver

import (
	"testing"
	"time"
)

func TestSizes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 9_949: "9.9 kB", 9_950: "10 kB", 123_456: "123 kB", 999_499: "999 kB", 999_500: "1.0 MB",
		3_688_609: "3.7 MB", 10 << 30: "11 GB", 1<<63 - 1: "9.2 EB",
	} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestTimesAndNumbers(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 19, 6, 51, 0, time.FixedZone("", 3600))
	if got := when(at) + " " + machineTime(at); got != "2026-11-23 18:06 2026-11-23T18:06:51Z" {
		t.Error(got)
	}
	if when(time.Time{}) != "" || machineTime(time.Time{}) != "" {
		t.Error("no time")
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
