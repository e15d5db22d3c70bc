package dockertest

import (
	"errors"
	"testing"

	"github.com/anuket-project/xtci/internal/docker"
)

func TestGate(t *testing.T) {
	t.Parallel()
	engine := Connect(t)
	label := map[string]string{Label: Name(t)}
	Cleanup(t, engine, label)
	for _, test := range []struct {
		when  When
		there int // networks, after a request to make one that was cut
	}{{BeforeTheRequest, 0}, {BeforeTheAnswer, 1}} {
		gate := StartGate(t, engine)
		through := gate.Connect()
		gate.ShutAt(0, test.when)
		if _, err := through.CreateNetwork(t.Context(), docker.Network{Name: label[Label], Labels: label}); !errors.Is(err, docker.ErrUnavailable) {
			t.Errorf("shut %s: %v", test.when, err)
		}
		if _, err := through.Networks(t.Context(), label); !errors.Is(err, docker.ErrUnavailable) || gate.IsOpen() {
			t.Errorf("shut %s, and then: %v", test.when, err)
		}
		gate.Open()
		if networks, err := through.Networks(t.Context(), label); err != nil || len(networks) != test.there {
			t.Errorf("shut %s, open again: %v, %v", test.when, networks, err)
		}
		if said := gate.Requests(); len(said) == 0 {
			t.Error("it forgets what it lets through")
		}
	}
}
