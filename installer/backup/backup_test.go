package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/installer/testdb/sqlstore"
)

var dataNames = []string{"artifacts", "campaigns", "etc", "jenkins", "keys", "minio", "mongo", "registry", "secrets.yaml", "testdb", "xtci.lock"}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, name, content string, mode fs.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, []byte(content), 0o600))
	must(t, os.Chmod(name, mode))
}

// samplePrefix is what a stack may keep, in small.
func samplePrefix(t testing.TB) string {
	t.Helper()
	prefix := t.TempDir()
	in := func(name string) string { return filepath.Join(prefix, name) }
	write(t, in("secrets.yaml"), "stack.jenkins.password: geheim\n", 0o600)
	write(t, in("xtci.lock"), "images: {}\n", 0o644)
	write(t, in("keys/signing.key"), "key", 0o600)
	write(t, in("keys/.key-123"), "half", 0o600)
	write(t, in("campaigns/T/journal.json"), "{}", 0o644)
	write(t, in("campaigns/T.lock"), "", 0o644)
	write(t, in("etc/casc.yaml"), "password: geheim", 0o600)
	write(t, in("artifacts/T/k8s_quick/größe \xff\n\\x.log"), "odd", 0o644)
	write(t, in("artifacts/T/large"), strings.Repeat("0123456789", 300_000), 0o640)
	write(t, in("jenkins/jobs/a/builds/1/log"), "log", 0o644)
	write(t, in("jenkins/config.xml"), "<x/>", 0o444)
	write(t, in("jenkins/program"), "#!", 0o4755)
	write(t, in("jenkins/workspace/a/checkout"), "made again", 0o644)
	write(t, in("jenkins/war/index"), "made again", 0o644)
	write(t, in("minio/.minio.sys/tmp/x"), "half", 0o644)
	write(t, in("minio/xtesting/a/xl.meta"), "meta", 0o644)
	write(t, in("registry/docker/registry/v2/repositories/a/_uploads/1/data"), "half", 0o644)
	write(t, in("somebody/else"), "not ours", 0o644)
	must(t, os.Symlink("1", in("jenkins/jobs/a/builds/last")))
	must(t, os.Symlink("/var/jenkins_home/nowhere", in("jenkins/absolute")))
	must(t, os.Symlink("../../../../../../etc/passwd", in("jenkins/jobs/out")))
	must(t, os.Mkdir(in("jenkins/empty"), 0o700))
	must(t, os.Chmod(in("jenkins/empty"), 0o2770|fs.ModeSetgid))
	must(t, os.Chmod(in("jenkins/jobs/a/builds"), 0o555))
	t.Cleanup(func() { _ = os.Chmod(in("jenkins/jobs/a/builds"), 0o755) })
	must(t, syscall.Mkfifo(in("jenkins/pipe"), 0o600))
	if os.Geteuid() == 0 {
		must(t, os.Lchown(in("jenkins/config.xml"), 1000, 1001))
		must(t, os.Lchown(in("jenkins/absolute"), 1000, 1001))
		must(t, os.Lchown(in("jenkins/jobs/a/builds"), 1000, 1001))
	}
	old := time.Date(2020, 2, 3, 4, 5, 6, 789, time.UTC)
	for _, name := range []string{"jenkins/config.xml", "jenkins/jobs/a/builds", "secrets.yaml"} {
		must(t, os.Chtimes(in(name), old, old))
	}
	return prefix
}

// tree is what is under a folder, in words.
func tree(t testing.TB, folder string, names ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, top := range names {
		must(t, filepath.Walk(filepath.Join(folder, top), func(path string, info fs.FileInfo, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			stat := info.Sys().(*syscall.Stat_t)
			text := fmt.Sprintf("%v %d:%d", info.Mode(), stat.Uid, stat.Gid)
			switch {
			case info.Mode().IsRegular():
				content, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				text += fmt.Sprintf(" %v %d %.30q", info.ModTime().UTC(), len(content), content)
			case info.IsDir():
				text += fmt.Sprint(" ", info.ModTime().UTC())
			case info.Mode()&fs.ModeSymlink != 0:
				target, err := os.Readlink(path)
				if err != nil {
					return err
				}
				text += " " + target
			}
			name, err := filepath.Rel(folder, path)
			all[name] = text
			return err
		}))
	}
	return all
}

func options(prefix string) Options {
	return Options{Prefix: prefix, Names: dataNames, Stack: "xtci", Tool: "test"}
}

func backUp(t testing.TB, prefix string) (raw []byte, summary Summary) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	summary, err := Backup(t.Context(), file, options(prefix))
	must(t, err)
	raw, err = os.ReadFile(file)
	must(t, err)
	return raw, summary
}

func restoreOptions(prefix string) RestoreOptions {
	return RestoreOptions{
		Prefix: prefix, Names: dataNames,
		Running: func(context.Context) ([]string, error) { return nil, nil },
		Lock:    func() (func(), error) { return func() {}, os.MkdirAll(prefix, 0o755) },
	}
}

func restore(t testing.TB, raw []byte, o RestoreOptions) (Summary, error) {
	t.Helper()
	return Restore(t.Context(), bytes.NewReader(raw), int64(len(raw)), o)
}

func TestDataComesBackAsItWas(t *testing.T) {
	t.Parallel()
	prefix := samplePrefix(t)
	raw, summary := backUp(t, prefix)
	if summary.Skipped.Count != 1 || summary.Skipped.First[0] != "jenkins/pipe" || summary.Changed.Count != 0 {
		t.Errorf("got %+v", summary)
	}
	want := tree(t, prefix, dataNames...)
	for _, gone := range []string{
		"etc", "etc/casc.yaml", "keys/.key-123", "campaigns/T.lock", "jenkins/workspace/a", "jenkins/workspace/a/checkout", "jenkins/war/index",
		"minio/.minio.sys/tmp/x", "registry/docker/registry/v2/repositories/a/_uploads/1", "registry/docker/registry/v2/repositories/a/_uploads/1/data", "jenkins/pipe",
	} {
		if want[gone] == "" {
			t.Errorf("%s was not there", gone)
		}
		delete(want, gone)
	}
	want["jenkins/program"] = strings.Replace(want["jenkins/program"], "urwx", "-rwx", 1)
	into := filepath.Join(t.TempDir(), "new")
	restored, err := restore(t, raw, restoreOptions(into))
	must(t, err)
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(into, "jenkins/jobs/a/builds"), 0o755) })
	if restored.Foreign.Count != 0 || restored.Entries != summary.Entries || restored.Bytes != summary.Bytes || restored.Before != "" {
		t.Errorf("got %+v after %+v", restored, summary)
	}
	if diff := cmp.Diff(want, tree(t, into, dataNames...)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantOnly(t, into, "artifacts", "campaigns", "jenkins", "keys", "minio", "registry", "secrets.yaml", "xtci.lock")
}

func wantOnly(t testing.TB, folder string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	must(t, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, names) {
		t.Errorf("in %s: %q, want %q", folder, got, names)
	}
}

func TestABackupIsSecret(t *testing.T) {
	t.Parallel()
	prefix := samplePrefix(t)
	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	_, err := Backup(t.Context(), file, options(prefix))
	must(t, err)
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	before, err := os.ReadFile(file)
	must(t, err)
	if _, err := Backup(t.Context(), file, options(prefix)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("it was replaced: %v", err)
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("it was touched: %v", err)
	}
	o := options(prefix)
	o.Replace = true
	if _, err := Backup(t.Context(), file, o); err != nil {
		t.Error(err)
	}
	wantOnly(t, filepath.Dir(file), "backup.tar.gz")
}

func TestWhereABackupCannotBe(t *testing.T) {
	t.Parallel()
	prefix := samplePrefix(t)
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(filepath.Join(prefix, "minio"), link))
	for _, file := range []string{filepath.Join(prefix, "jenkins", "b"), filepath.Join(link, "xtesting", "b"), filepath.Join(prefix, "no", "b")} {
		if _, err := Backup(t.Context(), file, options(prefix)); err == nil {
			t.Errorf("%s was written", file)
		}
	}
	if _, err := Backup(t.Context(), filepath.Join(prefix, "b"), options(prefix)); err != nil {
		t.Errorf("beside the data: %v", err)
	}
	_, err := Backup(t.Context(), filepath.Join(t.TempDir(), "b"), options(filepath.Join(prefix, "nothing")))
	if _, ok := errors.AsType[*RefusedError](err); !ok {
		t.Errorf("nothing to back up: %v", err)
	}
}

func TestAFolderThatIsALinkIsFollowed(t *testing.T) {
	t.Parallel()
	prefix, disk := t.TempDir(), t.TempDir()
	write(t, filepath.Join(disk, "data/a"), "a", 0o644)
	write(t, filepath.Join(disk, "secrets"), "s", 0o600)
	must(t, os.Symlink(filepath.Join(disk, "data"), filepath.Join(prefix, "minio")))
	must(t, os.Symlink(filepath.Join(disk, "secrets"), filepath.Join(prefix, "secrets.yaml")))
	raw, _ := backUp(t, prefix)
	into := t.TempDir()
	_, err := restore(t, raw, restoreOptions(into))
	must(t, err)
	for name, want := range map[string]string{"minio/a": "a", "secrets.yaml": "s"} {
		if content, err := os.ReadFile(filepath.Join(into, name)); err != nil || string(content) != want {
			t.Errorf("%s: %q, %v", name, content, err)
		}
	}
}

func TestManyEntriesHaveManyManifests(t *testing.T) {
	t.Parallel()
	prefix := t.TempDir()
	for i := range chunkEntries*2 + 10 {
		write(t, filepath.Join(prefix, "minio", fmt.Sprint(i/100), fmt.Sprint(i)), fmt.Sprint(i), 0o644)
	}
	raw, summary := backUp(t, prefix)
	manifests := 0
	for _, m := range members(t, raw) {
		if strings.HasPrefix(m.header.Name, "manifest-") {
			manifests++
		}
	}
	if manifests != 3 || summary.Entries != 2*chunkEntries+10+1+int64(chunkEntries*2+10+99)/100 {
		t.Errorf("%d manifests, %+v", manifests, summary)
	}
	into := t.TempDir()
	_, err := restore(t, raw, restoreOptions(into))
	must(t, err)
	if diff := cmp.Diff(tree(t, prefix, "minio"), tree(t, into, "minio")); diff != "" {
		t.Error(diff)
	}
}

func TestTheTestDBIsCopiedWhileItIsWritten(t *testing.T) {
	t.Parallel()
	prefix := t.TempDir()
	must(t, os.Mkdir(filepath.Join(prefix, "testdb"), 0o700))
	path := filepath.Join(prefix, "testdb", database)
	store, err := sqlstore.Open(t.Context(), path)
	must(t, err)
	defer store.Close()
	must(t, os.Chmod(path, 0o640))
	insert := func(i int) error {
		id := fmt.Sprintf("%024x", i)
		body := fmt.Sprintf(`{"_id": %q, "details": %q}`, id, strings.Repeat("x", 2000))
		return store.Insert(t.Context(), testdb.Results, testdb.Document{ID: id, Key: id, Body: []byte(body)})
	}
	for i := range 50 {
		must(t, insert(i))
	}
	stop, ended := make(chan struct{}), make(chan int)
	go func() {
		n := 50
		defer func() { ended <- n }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			if insert(n) != nil {
				return
			}
			n++
		}
	}()
	raw, _ := backUp(t, prefix)
	close(stop)
	written := <-ended
	for _, m := range members(t, raw) {
		if strings.Contains(m.header.Name, "-wal") || strings.Contains(m.header.Name, "-shm") {
			t.Errorf("%s is in the backup", m.header.Name)
		}
	}
	into := t.TempDir()
	_, err = restore(t, raw, restoreOptions(into))
	must(t, err)
	restored := filepath.Join(into, "testdb", database)
	if info, err := os.Stat(restored); err != nil || info.Mode() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	copied, err := sqlstore.Open(t.Context(), restored)
	must(t, err)
	defer copied.Close()
	n, err := copied.Count(t.Context(), testdb.Results, testdb.Query{})
	must(t, err)
	if n < 50 || n > written {
		t.Errorf("%d results, of 50 before and %d after", n, written)
	}
	if written == 50 {
		t.Log("nothing was written meanwhile")
	}
}

func TestFilesThatChangeMeanwhile(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(name string) error{
		"longer":  func(name string) error { return os.Truncate(name, 9<<20) },
		"shorter": func(name string) error { return os.Truncate(name, 1<<20) },
		"gone":    os.Remove,
	} {
		prefix := t.TempDir()
		name := filepath.Join(prefix, "minio/b")
		write(t, filepath.Join(prefix, "minio/a"), "a", 0o644)
		write(t, name, strings.Repeat("x", 8<<20), 0o644)
		o := options(prefix)
		done := false
		o.Events = func(e Event) {
			if !done && e.Done > 1<<20 {
				done = true
				must(t, change(name))
			}
		}
		file := filepath.Join(t.TempDir(), "b")
		summary, err := Backup(t.Context(), file, o)
		must(t, err)
		if want := what != "gone"; (summary.Changed.Count == 1) != want { // what is gone was still read
			t.Errorf("%s: %+v", what, summary)
		}
		raw, err := os.ReadFile(file)
		must(t, err)
		into := t.TempDir()
		if _, err := restore(t, raw, restoreOptions(into)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if info, err := os.Stat(filepath.Join(into, "minio/b")); err != nil || info.Size() != 8<<20 {
			t.Errorf("%s: %v, %v", what, info, err)
		}
	}
}

func TestWhatIsRemovedMeanwhileIsNotInTheBackup(t *testing.T) {
	t.Parallel()
	prefix := t.TempDir()
	write(t, filepath.Join(prefix, "minio/a"), strings.Repeat("x", 1<<20), 0o644)
	write(t, filepath.Join(prefix, "minio/b"), "b", 0o644)
	write(t, filepath.Join(prefix, "minio/c/d"), "d", 0o644)
	o := options(prefix)
	o.Events = func(e Event) {
		if e.Done > 0 {
			must(t, os.RemoveAll(filepath.Join(prefix, "minio/b")))
			must(t, os.RemoveAll(filepath.Join(prefix, "minio/c")))
		}
	}
	file := filepath.Join(t.TempDir(), "b")
	summary, err := Backup(t.Context(), file, o)
	must(t, err)
	if summary.Entries != 2 {
		t.Errorf("got %+v", summary)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	raw, _ := backUp(t, samplePrefix(t))
	unknown := errors.New("Docker does not answer")
	for _, test := range []struct {
		what   string
		change func(o *RestoreOptions)
		there  bool
		want   string // "" is that it works
	}{
		{"nothing there", func(*RestoreOptions) {}, false, ""},
		{"others' files there", func(o *RestoreOptions) { write(t, filepath.Join(o.Prefix, "site.yaml"), "x", 0o644) }, false, ""},
		{"data there", func(*RestoreOptions) {}, true, "--force"},
		{"forced", func(o *RestoreOptions) { o.Force = true }, true, ""},
		{"running", func(o *RestoreOptions) {
			o.Force = true
			o.Running = func(context.Context) ([]string, error) { return []string{"minio"}, nil }
		}, true, "running (minio)"},
		{"running, nothing there", func(o *RestoreOptions) {
			o.Running = func(context.Context) ([]string, error) { return []string{"minio"}, nil }
		}, false, "running (minio)"},
		{"not known", func(o *RestoreOptions) {
			o.Force = true
			o.Running = func(context.Context) ([]string, error) { return nil, unknown }
		}, true, "does not answer"},
		{"not known, nothing there", func(o *RestoreOptions) {
			o.Running = func(context.Context) ([]string, error) { return nil, unknown }
		}, false, ""},
		{"locked", func(o *RestoreOptions) { o.Lock = func() (func(), error) { return nil, unknown } }, false, "does not answer"},
	} {
		o := restoreOptions(t.TempDir())
		if test.there {
			write(t, filepath.Join(o.Prefix, "minio/old"), "old", 0o644)
			write(t, filepath.Join(o.Prefix, "etc/casc.yaml"), "old", 0o644)
		}
		test.change(&o)
		before := tree(t, o.Prefix, "")
		summary, err := restore(t, raw, o)
		if test.want != "" {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: got %v, want %q", test.what, err, test.want)
			}
			if diff := cmp.Diff(before, tree(t, o.Prefix, "")); diff != "" && test.what != "locked" {
				t.Errorf("%s: something was changed:\n%s", test.what, diff)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.what, err)
			continue
		}
		_ = os.Chmod(filepath.Join(o.Prefix, "jenkins/jobs/a/builds"), 0o755)
		if content, err := os.ReadFile(filepath.Join(o.Prefix, "minio/xtesting/a/xl.meta")); err != nil || string(content) != "meta" {
			t.Errorf("%s: %q, %v", test.what, content, err)
		}
		if test.there {
			if diff := cmp.Diff([]string{"etc/casc.yaml", "minio/old"}, filesIn(t, summary.Before)); diff != "" {
				t.Errorf("%s: moved aside to %s (-want +got):\n%s", test.what, summary.Before, diff)
			}
		}
	}
}

func filesIn(t testing.TB, folder string) []string {
	t.Helper()
	var names []string
	must(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, err := filepath.Rel(folder, path)
			names = append(names, name)
			return err
		}
		return err
	}))
	return names
}

// A member of the tar in a backup.
type member struct {
	header  tar.Header
	content []byte
}

func members(t testing.TB, raw []byte) []member {
	t.Helper()
	packed, err := gzip.NewReader(bytes.NewReader(raw))
	must(t, err)
	in := tar.NewReader(packed)
	var all []member
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		must(t, err)
		content, err := io.ReadAll(in)
		must(t, err)
		all = append(all, member{*header, content})
	}
}

func pack(t testing.TB, all []member) []byte {
	t.Helper()
	var raw bytes.Buffer
	packed := gzip.NewWriter(&raw)
	out := tar.NewWriter(packed)
	for _, m := range all {
		header := m.header
		if header.Typeflag == tar.TypeReg {
			header.Size = int64(len(m.content))
		}
		header.PAXRecords, header.Format = nil, tar.FormatUnknown
		if header.ModTime.Nanosecond() != 0 {
			header.Format = tar.FormatPAX
		}
		must(t, out.WriteHeader(&header))
		_, err := out.Write(m.content)
		must(t, err)
	}
	must(t, errors.Join(out.Close(), packed.Close()))
	return raw.Bytes()
}

// wantBad wants a backup refused, for a reason, and nothing restored.
func wantBad(t *testing.T, what string, raw []byte, reason string) {
	t.Helper()
	prefix := t.TempDir()
	write(t, filepath.Join(prefix, "minio/old"), "old", 0o644)
	o := restoreOptions(prefix)
	o.Force = true
	_, err := restore(t, raw, o)
	if _, ok := errors.AsType[*BadBackupError](err); !ok || !strings.Contains(fmt.Sprint(err), reason) {
		t.Errorf("%s: got %v, want %q", what, err, reason)
	}
	if got := filesIn(t, prefix); !slices.Equal(got, []string{"minio/old"}) {
		t.Errorf("%s: left behind: %q", what, got)
	}
	wantOnly(t, prefix, "minio")
}

// smallPrefix has one of each kind.
func smallPrefix(t testing.TB) string {
	t.Helper()
	prefix := t.TempDir()
	write(t, filepath.Join(prefix, "minio/a"), "content of a", 0o640)
	write(t, filepath.Join(prefix, "minio/b"), "", 0o600)
	write(t, filepath.Join(prefix, "secrets.yaml"), "s", 0o600)
	must(t, os.Symlink("a", filepath.Join(prefix, "minio/link")))
	return prefix
}

func TestABackupThatIsCutOffIsRefused(t *testing.T) {
	t.Parallel()
	raw, _ := backUp(t, smallPrefix(t))
	for n := 0; n < len(raw); n += 1 + n%7 {
		wantBad(t, fmt.Sprintf("cut after %d of %d", n, len(raw)), raw[:n], "")
	}
	all := members(t, raw)
	for n := range all {
		wantBad(t, fmt.Sprintf("without %s and what follows", all[n].header.Name), pack(t, all[:n]), "cut off")
	}
	unpacked := unpackAll(t, raw)
	for n := 0; n < len(unpacked)-3*512; n += 256 { // end.json is in the third last block
		var packed bytes.Buffer
		out := gzip.NewWriter(&packed)
		_, err := out.Write(unpacked[:n])
		must(t, errors.Join(err, out.Close()))
		wantBad(t, fmt.Sprintf("tar cut after %d", n), packed.Bytes(), "")
	}
}

func unpackAll(t testing.TB, raw []byte) []byte {
	t.Helper()
	packed, err := gzip.NewReader(bytes.NewReader(raw))
	must(t, err)
	unpacked, err := io.ReadAll(packed)
	must(t, err)
	return unpacked
}

func TestABackupThatWasDamagedIsRefused(t *testing.T) {
	t.Parallel()
	raw, _ := backUp(t, smallPrefix(t))
	whole := unpackAll(t, raw)
	for n := 0; n < len(raw); n += 1 + n%7 {
		damaged := bytes.Clone(raw)
		damaged[n] ^= 0x10
		if packed, err := gzip.NewReader(bytes.NewReader(damaged)); err == nil {
			if content, err := io.ReadAll(packed); err == nil && bytes.Equal(content, whole) {
				continue // it means the same, as where zeros are a copy of other zeros
			}
		}
		wantBad(t, fmt.Sprintf("byte %d of %d", n, len(raw)), damaged, "")
	}
}

func TestABackupThatWasChangedIsRefused(t *testing.T) {
	t.Parallel()
	raw, _ := backUp(t, smallPrefix(t))
	for n, m := range members(t, raw) {
		if m.header.Name == memberHeader {
			continue // what it says is for people
		}
		for what, change := range map[string]func(m *member){
			"content": func(m *member) { m.content = append([]byte("x"), m.content...) },
			"mode":    func(m *member) { m.header.Mode ^= 0o7 },
			"owner":   func(m *member) { m.header.Uid++ },
			"group":   func(m *member) { m.header.Gid++ },
			"time":    func(m *member) { m.header.ModTime = m.header.ModTime.Add(time.Second) },
			"name":    func(m *member) { m.header.Name = strings.TrimSuffix(m.header.Name, "/") + "x" },
			"target":  func(m *member) { m.header.Linkname += "x" },
		} {
			document := !strings.HasPrefix(m.header.Name, dataFolder)
			switch {
			case document && what != "content" && what != "name",
				what == "content" && m.header.Typeflag != tar.TypeReg, what == "target" && m.header.Typeflag != tar.TypeSymlink:
				continue
			}
			all := members(t, raw)
			change(&all[n])
			wantBad(t, what+" of "+m.header.Name, pack(t, all), "")
		}
		if n > 0 {
			all := members(t, raw)
			wantBad(t, "without "+m.header.Name, pack(t, slices.Delete(all, n, n+1)), "")
		}
	}
}

func TestHostileBackupsAreRefused(t *testing.T) {
	t.Parallel()
	raw, _ := backUp(t, smallPrefix(t))
	all := members(t, raw)
	outside := t.TempDir()
	file := func(name string) member {
		return member{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, []byte("x")}
	}
	dir := func(name string) member {
		return member{header: tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}}
	}
	link := func(name, target string) member {
		return member{header: tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}}
	}
	for _, test := range []struct {
		what, reason string
		members      []member
	}{
		{"leads out", "leads out", []member{dir("data/minio/"), file("data/minio/../../x")}},
		{"leads out at once", "leads out", []member{file("data/../x")}},
		{"absolute", "leads out", []member{file("data//etc/x")}},
		{"nothing", "a name of 0 bytes", []member{dir("data/")}},
		{"not ours", `a stack has no ".ssh"`, []member{dir("data/.ssh/")}},
		{"the lock", `a stack has no ".stack.lock"`, []member{file("data/.stack.lock")}},
		{"outside of data", "nothing that a backup has", []member{file("minio")}},
		{"no folder", "no folder of the backup", []member{file("data/minio/x")}},
		{"link on top", "a link cannot be there", []member{link("data/minio", outside)}},
		{"through a link", "no folder of the backup", []member{dir("data/minio/"), link("data/minio/l", outside), file("data/minio/l/x")}},
		{"through a link within", "no folder of the backup", []member{dir("data/minio/"), dir("data/minio/d/"), link("data/minio/l", "d"), file("data/minio/l/x")}},
		{"over a link", "twice", []member{dir("data/minio/"), link("data/minio/l", filepath.Join(outside, "x")), file("data/minio/l")}},
		{"folder over a link", "twice", []member{dir("data/minio/"), link("data/minio/l", outside), dir("data/minio/l/")}},
		{"twice", "twice", []member{dir("data/minio/"), file("data/minio/x"), file("data/minio/x")}},
		{"hard link", "neither file nor folder nor link", []member{dir("data/minio/"), {header: tar.Header{Typeflag: tar.TypeLink, Name: "data/minio/x", Linkname: "/etc/passwd"}}}},
		{"device", "neither file nor folder nor link", []member{{header: tar.Header{Typeflag: tar.TypeBlock, Name: "data/minio", Devmajor: 8}}}},
		{"pipe", "neither file nor folder nor link", []member{{header: tar.Header{Typeflag: tar.TypeFifo, Name: "data/minio"}}}},
		{"long name", "a name of 5000 bytes", []member{file("data/" + strings.Repeat("x", 5000))}},
		{"long target", "no file has", []member{dir("data/minio/"), link("data/minio/l", strings.Repeat("x", 5000))}},
		{"no manifest", "cut off", []member{dir("data/minio/")}},
		{"no manifest, but an end", "does not say", []member{dir("data/minio/"), {tar.Header{Typeflag: tar.TypeReg, Name: memberEnd}, []byte(`{"entries":1}`)}}},
		{"an end at once", "does not say", []member{{tar.Header{Typeflag: tar.TypeReg, Name: memberEnd}, []byte(`{}`)}}},
		{"manifest of the wrong number", "nothing that a backup has", []member{file("manifest-000002.json")}},
		{"manifest that is none", "invalid character", []member{file("manifest-000001.json")}},
		{"huge end", "no file of at most", []member{{tar.Header{Typeflag: tar.TypeReg, Name: memberEnd}, make([]byte, maxHeader+1)}}},
		{"more after the end", "after \"end.json\"", append(slices.Clone(all[1:]), file("data/minio2"))},
	} {
		wantBad(t, test.what, pack(t, append([]member{all[0]}, test.members...)), test.reason)
	}
	for _, test := range []struct {
		what, reason string
		header       member
	}{
		{"another tar", "begins with", file("x")},
		{"newer", "form 2, which this xtci does not know: it was made by xtci \"9\"", member{tar.Header{Typeflag: tar.TypeReg, Name: memberHeader}, []byte(`{"format":2,"tool":"9"}`)}},
		{"huge header", "no file of at most", member{tar.Header{Typeflag: tar.TypeReg, Name: memberHeader}, make([]byte, maxHeader+1)}},
		{"link", "no file of at most", link(memberHeader, "/etc/passwd")},
	} {
		wantBad(t, test.what, pack(t, append([]member{test.header}, all[1:]...)), test.reason)
	}
	wantBad(t, "no gzip", []byte("something else"), "not made by xtci backup")
	wantBad(t, "nothing", nil, "not made by xtci backup")
	wantOnly(t, outside)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	raw, _ := backUp(t, smallPrefix(t))
	for _, change := range []func(*Limits){
		func(l *Limits) { l.Entries = 4 }, func(l *Limits) { l.Folders = 0 }, func(l *Limits) { l.TotalSize = 12 },
	} {
		o := restoreOptions(t.TempDir())
		o.Limits = DefaultLimits()
		change(&o.Limits)
		if _, err := restore(t, raw, o); err == nil || !strings.Contains(err.Error(), "more than is allowed") {
			t.Errorf("%+v: got %v", o.Limits, err)
		}
		wantOnly(t, o.Prefix)
	}
	all := members(t, raw)
	all[0].content = []byte(`{"format":1,"bytes":4611686018427387904}`)
	o := restoreOptions(t.TempDir())
	if _, err := restore(t, pack(t, all), o); err == nil || !strings.Contains(err.Error(), "has room for") {
		t.Errorf("got %v", err)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	prefix := samplePrefix(t)
	ctx, cancel := context.WithCancel(t.Context())
	o := options(prefix)
	o.Events = func(e Event) {
		if e.Done > 1000 {
			cancel()
		}
	}
	dir := t.TempDir()
	if _, err := Backup(ctx, filepath.Join(dir, "b"), o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantOnly(t, dir)
	raw, _ := backUp(t, prefix)
	into := t.TempDir()
	if _, err := Restore(ctx, bytes.NewReader(raw), int64(len(raw)), restoreOptions(into)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantOnly(t, into)
}

func TestASwapThatFailsIsTakenBack(t *testing.T) {
	t.Parallel()
	prefix := t.TempDir()
	write(t, filepath.Join(prefix, "minio/old"), "old", 0o644)
	write(t, filepath.Join(prefix, "keys/old"), "old", 0o644)
	write(t, filepath.Join(prefix, staging+"1/minio/new"), "new", 0o644)
	write(t, filepath.Join(prefix, staging+"1/zz"), "new", 0o644)
	must(t, os.Mkdir(filepath.Join(prefix, "zz"), 0o755)) // a file cannot replace it
	if _, err := swap(prefix, filepath.Join(prefix, staging+"1"), []string{"keys", "minio"}); err == nil {
		t.Error("no error")
	}
	want := []string{staging + "1/minio/new", staging + "1/zz", "keys/old", "minio/old"}
	if diff := cmp.Diff(want, filesIn(t, prefix)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatAKilledRestoreLeftIsRemoved(t *testing.T) {
	t.Parallel()
	raw, _ := backUp(t, smallPrefix(t))
	prefix := filepath.Join(t.TempDir(), "with [odd] *name?")
	write(t, filepath.Join(prefix, staging+"123/minio/half"), "half", 0o644)
	_, err := restore(t, raw, restoreOptions(prefix))
	must(t, err)
	wantOnly(t, prefix, "minio", "secrets.yaml")
}
