package cluster

import (
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTokenCredentials(t *testing.T) {
	t.Parallel()
	jwt := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, token string
		want        Credentials
	}{
		{"no JWT", "abcdef.0123456789abcdef", Credentials{}},
		{"three parts that are none", "a.b!.c", Credentials{}},
		{"no JSON", jwt("no"), Credentials{}},
		{"one that never ends", jwt(`{"sub":"me"}`), Credentials{Account: "me"}},
		{"one that ends", jwt(`{"sub":"me","nbf":1795435200,"exp":1795435200.7}`), Credentials{Account: "me", Begin: at, Expires: at}},
		{"padding", "e30." + base64.URLEncoding.EncodeToString([]byte(`{"exp":1795435200}`)) + ".c2ln", Credentials{Expires: at}},
		{"times that are none", jwt(`{"exp":1e300,"nbf":-1}`), Credentials{}},
		{"an end of another type", jwt(`{"exp":"soon"}`), Credentials{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.want.By = ByToken
			if diff := cmp.Diff(test.want, tokenCredentials(test.token)); diff != "" {
				t.Errorf("credentials (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzTokenCredentials(f *testing.F) {
	f.Add("e30.eyJleHAiOjE3OTU0MzUyMDB9.c2ln")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := json.Marshal(tokenCredentials(token)); err != nil {
			t.Errorf("JSON cannot tell: %v", err)
		}
	})
}

func TestAhead(t *testing.T) {
	t.Parallel()
	base := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return base.Add(time.Duration(ms) * time.Millisecond) }
	for _, test := range []struct {
		name                 string
		date, sent, received time.Time
		want                 time.Duration
	}{
		{"same second", base, at(200), at(300), 0},
		{"asked before, answered after the second", base, at(-500), at(1500), 0},
		{"ahead", at(10_000), at(0), at(100), 9900 * time.Millisecond},
		{"behind", at(-10_000), at(0), at(100), -9 * time.Second},
		{"at the edge", at(1000), at(900), at(1000), 0},
	} {
		if got := ahead(test.date, test.sent, test.received); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
