package runner

import (
	"strings"
	"testing"

	"github.com/anuket-project/xtci/testcases"
)

func TestMaskWriter(t *testing.T) {
	t.Parallel()
	const secret = "abcabcabx"
	for _, test := range []struct{ name, secret, in, want string }{
		{"no secret", "", "abc", "abc"},
		{"too short to be one", "abc", "abc", "abc"},
		{"nothing", secret, "", ""},
		{"it is not in it", secret, "abcabcab", "abcabcab"},
		{"alone", secret, secret, masked},
		{"twice", secret, "<" + secret + secret + ">", "<" + masked + masked + ">"},
		{"after what looks like its beginning", secret, "abc" + secret + "abcabcab", "abc" + masked + "abcabcab"},
	} {
		for size := 1; size <= len(test.in)+1; size++ { // in pieces of that size
			var out strings.Builder
			m := maskWriter{to: &out, secret: []byte(test.secret)}
			for rest := test.in; rest != ""; {
				n := min(size, len(rest))
				if wrote, err := m.Write([]byte(rest[:n])); wrote != n || err != nil {
					t.Fatalf("%d, %v", wrote, err)
				}
				rest = rest[n:]
			}
			if err := m.flush(); err != nil || out.String() != test.want {
				t.Errorf("%s, %d at once: %q, %v", test.name, size, out.String(), err)
			}
		}
	}
}

// The archive goes to reviewers, and what a container said is in it.
func TestTheConsoleIsWithoutTheStoresKey(t *testing.T) {
	t.Parallel()
	x := newExecution(t)
	x.docker.Services.S3, x.docker.Services.S3Key, x.docker.Services.S3Secret = "http://minio:9000", "jobs", "f00dcafe-f00dcafe"
	result, err := x.docker.Execute(t.Context(), programmed(t, x.engine, "env=AWS_SECRET_ACCESS_KEY", "env=BUILD_TAG", "exit=0"), x.build)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{testcases.ConsoleFile, testcases.RunFile} {
		if text := read(t, result, name); strings.Contains(text, x.docker.Services.S3Secret) || name == testcases.ConsoleFile && (!strings.Contains(text, masked) || !strings.Contains(text, x.build.Tag)) {
			t.Errorf("%s:\n%s", name, text)
		}
	}
	x.nothingLeft(t, result)
}
