package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anuket-project/xtci/config"
)

func TestPrefix(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	locked := filepath.Join(folder, "locked")
	if err := os.Mkdir(locked, 0o500); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, prefix string
		status       Status
		disk         bool // can be told
		parts        []string
	}{
		{"there", folder, Pass, true, []string{"can be written"}},
		{"not there yet", filepath.Join(folder, "a/b/c"), Pass, true, []string{"a/b/c is not there yet"}},
		{"a file", file, Fail, false, []string{"not a folder", "--set stack.prefix"}},
		{"below a file", filepath.Join(file, "x"), Fail, false, []string{"--set stack.prefix"}},
		{"what this user cannot write", filepath.Join(locked, "x"), Fail, true, []string{locked + " cannot be written"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if strings.HasPrefix(test.prefix, locked) && os.Geteuid() == 0 {
				t.Skip("root can write everywhere")
			}
			o := options(t, newStandIn(t))
			o.Site.Stack.Prefix = test.prefix
			all := results(t, o, "prefix", "disk")
			want(t, all["prefix"], test.status, test.parts...)
			if skipped := all["disk"].Status == Skip; skipped == test.disk {
				t.Errorf("disk: %s: %s", all["disk"].Status, all["disk"].Seen)
			}
		})
	}
}

func TestDiskVerdict(t *testing.T) {
	t.Parallel()
	const gibibyte = 1 << 30
	for _, test := range []struct {
		name   string
		disk   disk
		status Status
		part   string
	}{
		{"plenty", disk{free: 20 * gibibyte, total: 100 * gibibyte, freeNodes: 1e6, allNodes: 1e7}, Pass, "20 GiB of 100 GiB free at /x"},
		{"tight", disk{free: 20*gibibyte - 1, total: 100 * gibibyte}, Warn, "19 GiB of 100 GiB free at /x: 20 GiB are wanted"},
		{"just enough", disk{free: 5 * gibibyte, total: 100 * gibibyte}, Warn, "5.0 GiB"},
		{"too little", disk{free: 5*gibibyte - 1, total: 100 * gibibyte}, Fail, "do not fit"},
		{"full", disk{total: 100 * gibibyte}, Fail, "0.0 GiB"},
		{"no inodes", disk{free: 90 * gibibyte, total: 100 * gibibyte, freeNodes: 99_999, allNodes: 1e6}, Fail, "99999 more files"},
		{"inodes without a limit", disk{free: 90 * gibibyte, total: 100 * gibibyte}, Pass, ""},
	} {
		v := test.disk.verdict("/x", "do something")
		want(t, Result{Check: Check{Name: test.name}, Status: v.status, Seen: v.seen, Advice: v.advice}, test.status, test.part)
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	const gibibyte = 1 << 30
	for _, test := range []struct {
		name                     string
		total, available, limits uint64
		status                   Status
		part                     string
	}{
		{"plenty", 16 * gibibyte, 12 * gibibyte, 5 * gibibyte, Pass, "16 GiB of memory, 12 GiB available; the stack's services may take 5.0 GiB"},
		{"unknown what is available", 16 * gibibyte, 0, 5 * gibibyte, Pass, "16 GiB of memory;"},
		{"less than the limits", 5 * gibibyte, 4 * gibibyte, 5 * gibibyte, Warn, "stack.jenkins.memory"},
		{"nothing left", 16 * gibibyte, gibibyte / 4, 5 * gibibyte, Warn, "end what takes it"},
		{"too little", gibibyte, gibibyte, 0, Fail, "Jenkins and MinIO need"},
	} {
		v := memoryVerdict(test.total, test.available, test.limits)
		want(t, Result{Check: Check{Name: test.name}, Status: v.status, Seen: v.seen, Advice: v.advice}, test.status, test.part)
	}
	site := config.Default()
	if got := limits(site); got != 5*gibibyte {
		t.Errorf("the default stack may take %d bytes", got)
	}
	site.Stack.Minio.External.Endpoint = "http://minio.example"
	if got := limits(site); got != 3*gibibyte {
		t.Errorf("without MinIO it may take %d bytes", got)
	}
	elsewhere := newStandIn(t)
	elsewhere.socket, elsewhere.info.Memory = "", gibibyte
	want(t, results(t, options(t, elsewhere), "memory")["memory"], Fail, "1.0 GiB")
	if r := results(t, options(t, newStandIn(t)), "memory")["memory"]; r.Status == Skip {
		t.Errorf("this host's memory cannot be told: %s", r.Seen)
	}
}

func TestParseMeminfo(t *testing.T) {
	t.Parallel()
	total, available, err := parseMeminfo(strings.NewReader("MemTotal:       24689708 kB\nMemFree: x kB\nMemAvailable:   23114456 kB\n\nHugePages_Total:       0\n"))
	if total != 24689708<<10 || available != 23114456<<10 || err != nil {
		t.Errorf("got %d, %d, %v", total, available, err)
	}
	for _, text := range []string{"", "MemTotal:\n", "MemTotal: -1 kB\n", "MemTotal: 99999999999999999999 kB\n", strings.Repeat("x", 1<<17)} {
		if _, _, err := parseMeminfo(strings.NewReader(text)); err == nil {
			t.Errorf("%.20q: no error", text)
		}
	}
}

func FuzzParseMeminfo(f *testing.F) {
	f.Add("MemTotal:       24689708 kB\nMemAvailable:   23114456 kB\n")
	f.Fuzz(func(t *testing.T, text string) {
		total, _, err := parseMeminfo(strings.NewReader(text))
		if err == nil && total == 0 {
			t.Error("no memory and no error")
		}
	})
}

func TestCPU(t *testing.T) {
	t.Parallel()
	const old, new = "processor: 0\nflags\t\t: fpu sse4_2\nprocessor: 1\nflags\t\t: fpu sse4_2\n", "flags\t\t: fpu sse4_2 avx avx2\n"
	for _, test := range []struct {
		name, arch, cpuinfo, image string
		status                     Status
		part                       string
	}{
		{"AVX", "amd64", new, "docker.io/library/mongo:8.0.6", Pass, "has AVX"},
		{"no AVX", "amd64", old, "docker.io/library/mongo:8.0.6", Fail, "stack.testdb.engine=xtci"},
		{"only AVX2 in another word", "amd64", "flags: avx2x navx\n", "mongo:8", Fail, ""},
		{"an old MongoDB", "amd64", old, "localhost:5000/library/mongo:4.4", Pass, "every processor"},
		{"by digest", "amd64", old, "localhost:5000/mongo@sha256:ab", Fail, ""},
		{"no flags", "amd64", "processor: 0\n", "mongo:8", Warn, "cannot be told"},
		{"ARM", "arm64", "Features: fp asimd\n", "mongo:8.0", Warn, "ARMv8.2"},
	} {
		v := cpuVerdict(test.arch, test.cpuinfo, test.image)
		want(t, Result{Check: Check{Name: test.name}, Status: v.status, Seen: v.seen, Advice: v.advice}, test.status, test.part)
	}
	o := options(t, newStandIn(t))
	want(t, results(t, o, "cpu")["cpu"], Skip, "no MongoDB")
	o.Site.Stack.TestDB.Engine = config.EngineOPNFV
	if r := results(t, o, "cpu")["cpu"]; r.Status == Skip {
		t.Errorf("this host's processor cannot be told: %s", r.Seen)
	}
	elsewhere := newStandIn(t)
	elsewhere.socket = ""
	o = options(t, elsewhere)
	o.Site.Stack.TestDB.Engine = config.EngineOPNFV
	want(t, results(t, o, "cpu")["cpu"], Skip, "another machine")
}

func TestUnusable(t *testing.T) {
	t.Parallel()
	if v := unusable(needsError{"docker"}, "x"); v.status != Skip || v.advice != "" {
		t.Errorf("what needs another check is not skipped: %+v", v)
	}
	if v := unusable(errors.New("broken"), "do"); v.status != Fail || v.seen != "broken" || v.advice != "do" {
		t.Errorf("an error does not fail: %+v", v)
	}
}
