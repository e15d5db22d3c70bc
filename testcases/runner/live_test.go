package runner

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLiveCounts(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "e2e.log")
	log := liveLog{file: name}
	if got := log.read(); got != (Live{}) {
		t.Errorf("no log: %+v", got)
	}
	for _, step := range []struct {
		write string
		want  Live
	}{
		{"Running Suite\n•{\"msg\":\"PASSED [sig-node] a\",\"total\":3,\"completed\":1,\"skipped\":6,\"failed\":0}\n", Live{1, 0}},
		{"", Live{1, 0}},
		{"{\"msg\":\"PAS", Live{1, 0}}, // cut in the middle of a line
		{"SED b\"}\n{\"msg\":\"FAILED c\",\"failures\":[\"c\"]}\n", Live{2, 1}},
		{strings.Repeat("x", 2*maxLiveLine), Live{2, 1}},
		{"\n•SS{\"msg\":\"PASSED d\"}\n", Live{3, 1}},
	} {
		file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(step.write); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		if got := log.read(); got != step.want {
			t.Errorf("after %.40q: %+v, want %+v", step.write, got, step.want)
		}
	}
}

func FuzzLiveCounts(f *testing.F) {
	f.Add([]byte("{\"msg\":\"PASSED a\"}\n{\"msg\":\"FAILED b\"}\nrest"), 7)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		if len(text) > maxLiveLine || cut < 0 || cut > len(text) {
			t.Skip()
		}
		name := filepath.Join(t.TempDir(), "e2e.log")
		log := liveLog{file: name}
		for _, end := range []int{cut, len(text)} {
			if err := os.WriteFile(name, text[:end], 0o600); err != nil {
				t.Fatal(err)
			}
			log.read()
		}
		whole := text[:bytes.LastIndexByte(text, '\n')+1]
		if want := (Live{bytes.Count(whole, livePassed), bytes.Count(whole, liveFailed)}); log.counts != want {
			t.Errorf("read in two parts: %+v, want %+v", log.counts, want)
		}
	})
}
