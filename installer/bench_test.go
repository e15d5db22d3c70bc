package installer

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/anuket-project/xtci/internal/docker/dockertest"
)

// benchLab has all services that a default site has: MinIO, the test DB, the
// file server, and the stand-in for Jenkins, whose answers take no time to
// come. Its images are here.
func benchLab(b *testing.B) *lab {
	b.Helper()
	l := newLab(b)
	l.withJenkins()
	l.site.Stack.Files.Enabled, l.site.Stack.Files.Port = true, dockertest.Port(b)
	l.up()
	return l
}

// BenchmarkUp is from nothing to all healthy. Of that, services-s are what
// the services take themselves, from their start until they are healthy, one
// after the other as far as they wait for each other.
func BenchmarkUp(b *testing.B) {
	l := benchLab(b)
	var themselves time.Duration
	for b.Loop() {
		b.StopTimer()
		l.down()
		l.events = nil
		b.StartTimer()
		l.up()
		themselves += l.slowest()
	}
	b.ReportMetric(themselves.Seconds()/float64(b.N), "services-s/op")
	l.down()
}

// slowest is how long the services of the last up took themselves.
func (l *lab) slowest() time.Duration {
	started, took := map[string]time.Duration{}, map[string]time.Duration{}
	for _, event := range l.events {
		switch event.State {
		case StateStarting:
			started[event.Service] = event.Elapsed
		case StateHealthy:
			took[event.Service] = event.Elapsed - started[event.Service]
		}
	}
	took["files"] += took["minio"] // for which it waits
	return slices.Max(slices.Collect(maps.Values(took)))
}

// BenchmarkUpUnchanged is an up that has nothing to do, with everything that
// the command does but its own start.
func BenchmarkUpUnchanged(b *testing.B) {
	l := benchLab(b)
	for b.Loop() {
		if plan := l.up(); plan != "" {
			b.Fatalf("it changed: %s", plan)
		}
	}
	l.down()
}

// BenchmarkDown is from all healthy to nothing.
func BenchmarkDown(b *testing.B) {
	l := benchLab(b)
	for b.Loop() {
		b.StopTimer()
		l.up()
		b.StartTimer()
		l.down()
	}
}
