package objectstore

import (
	"testing"

	"github.com/anuket-project/xtci/internal/miniotest"
)

// BenchmarkProvisionAgain is what a second xtci up spends here.
func BenchmarkProvisionAgain(b *testing.B) {
	o := optionsFor(miniotest.Start(b))
	if _, err := Provision(b.Context(), o); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Provision(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkProvision is what a first one spends, a MinIO that has just come up
// included.
func BenchmarkProvision(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		o := optionsFor(miniotest.Start(b))
		b.StartTimer()
		if _, err := Provision(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
}
