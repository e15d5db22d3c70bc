package artifacts

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// packed packs files, and returns the zip.
func packed(t *testing.T, files fs.FS, names []string) []byte {
	t.Helper()
	var out bytes.Buffer
	a, err := newArchiveWriter(&out)
	if err == nil {
		err = errors.Join(a.addFiles(t.Context(), files, names), a.close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// mixedFiles are files of sizes around the limits of blocks, of what logs
// hold and of what cannot be packed.
func mixedFiles() (fstest.MapFS, []string) {
	random := rand.New(rand.NewPCG(1, 2))
	files := fstest.MapFS{}
	for _, size := range []int{0, 1, packDictionary - 1, packDictionary, packBlock - 1, packBlock, packBlock + 1, packBlock + packDictionary, 3*packBlock + 7} {
		noise := make([]byte, size)
		for i := range noise {
			noise[i] = byte(random.Uint32())
		}
		text := []byte(strings.Repeat("a line of a log, which is like the others\n", size/42+1))[:size]
		for i := 0; i < size; i += 1000 {
			text[i] = byte('a' + random.IntN(26))
		}
		files[fmt.Sprintf("noise-%07d", size)] = &fstest.MapFile{Data: noise}
		files[fmt.Sprintf("text-%07d", size)] = &fstest.MapFile{Data: text}
	}
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return files, names
}

func TestPackedFilesUnpack(t *testing.T) {
	t.Parallel()
	files, names := mixedFiles()
	archive := packed(t, files, names)
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, file := range z.File {
		got = append(got, file.Name)
		r, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(content, files[file.Name].Data) {
			t.Errorf("%s: %d bytes, %v, want %d", file.Name, len(content), err, len(files[file.Name].Data))
		}
	}
	if diff := cmp.Diff(names, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// However many cores there are and however reading goes, the bytes are the
// same.
func TestPackingIsTheSameEverywhere(t *testing.T) {
	files, names := mixedFiles()
	first := packed(t, files, names)
	for _, cores := range []int{1, 3, 8} {
		before := runtime.GOMAXPROCS(cores)
		again := packed(t, slowFS{files}, names)
		runtime.GOMAXPROCS(before)
		if !bytes.Equal(first, again) {
			t.Errorf("other bytes on %d cores", cores)
		}
	}
}

// A slowFS gives files in small pieces.
type slowFS struct{ fs.FS }

func (f slowFS) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name)
	return slowFile{file, iotest.DataErrReader(iotest.HalfReader(file))}, err
}

type slowFile struct {
	fs.File
	r io.Reader
}

func (f slowFile) Read(p []byte) (int, error) { return f.r.Read(p) }

// A brokenFS is a stand-in in which one file cannot be opened or read.
type brokenFS struct {
	fs.FS
	open, read string
	err        error
	closed     chan string
}

func (f brokenFS) Open(name string) (fs.File, error) {
	if name == f.open {
		return nil, f.err
	}
	file, err := f.FS.Open(name)
	if err != nil {
		return nil, err
	}
	b := brokenFile{File: file, name: name, closed: f.closed}
	if name == f.read {
		b.err = f.err
	}
	return b, nil
}

func (f brokenFS) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(f.FS, name) }

type brokenFile struct {
	fs.File
	name   string
	err    error
	closed chan string
}

func (f brokenFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p[:min(len(p), packBlock*2/3)])
	if errors.Is(err, io.EOF) && f.err != nil {
		err = f.err
	}
	return n, err
}

func (f brokenFile) Close() error {
	f.closed <- f.name
	return f.File.Close()
}

func TestPackingStops(t *testing.T) {
	t.Parallel()
	files, names := mixedFiles()
	bad := errors.New("bad block")
	for _, test := range []struct {
		name string
		brokenFS
		want error
	}{
		{"a file that cannot be opened", brokenFS{open: names[9], err: bad}, bad},
		{"the first", brokenFS{open: names[0], err: bad}, bad},
		{"a file that cannot be read to its end", brokenFS{read: names[8], err: bad}, bad},
		{"a file that is cut", brokenFS{read: names[8], err: io.ErrUnexpectedEOF}, io.ErrUnexpectedEOF},
		{"an end that is none", brokenFS{read: names[8], err: fmt.Errorf("read: %w", io.EOF)}, io.EOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.FS, test.closed = files, make(chan string, len(names))
			a, err := newArchiveWriter(io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			err = a.addFiles(t.Context(), test.brokenFS, names)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.open+test.read) {
				t.Errorf("got %v", err)
			}
			// every file that was opened is closed when it returns
			closed := len(test.closed)
			at := slices.Index(names, test.open+test.read)
			if test.open != "" && closed < at || test.read != "" && closed < at+1 {
				t.Errorf("%d files were closed of %d at least", closed, at)
			}
		})
	}
	t.Run("a writer that fails", func(t *testing.T) {
		t.Parallel()
		a, err := newArchiveWriter(writeFunc(func(p []byte) (int, error) { return 0, bad }))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.addFiles(t.Context(), files, names); !errors.Is(err, bad) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an interrupt", func(t *testing.T) {
		t.Parallel()
		ctx, interrupt := context.WithCancelCause(t.Context())
		a, err := newArchiveWriter(writeFunc(func(p []byte) (int, error) {
			interrupt(bad)
			return len(p), nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.addFiles(ctx, files, names); !errors.Is(err, bad) {
			t.Errorf("got %v", err)
		}
	})
}

type writeFunc func([]byte) (int, error)

func (f writeFunc) Write(p []byte) (int, error) { return f(p) }
