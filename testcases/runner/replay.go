package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// A Replay is an executor that feeds recorded results: a folder for each
// case with the files that a container left and, in record.json, what it
// pushed. A case without record.json pushed nothing.
type Replay struct {
	Recording fs.FS
}

// Execute implements Executor.
func (r Replay) Execute(ctx context.Context, job testcases.Job, _ Build) (Result, error) {
	if err := context.Cause(ctx); err != nil {
		return Result{}, err
	}
	name := job.Case.Name
	info, err := fs.Stat(r.Recording, name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return Result{}, fmt.Errorf("the recording has no folder %s", name)
	}
	if err != nil {
		return Result{}, fmt.Errorf("recording of %s: %w", name, err)
	}
	folder, err := fs.Sub(r.Recording, name)
	if err != nil {
		return Result{}, err
	}
	record, err := testcases.ReadRecord(folder, name)
	if err != nil {
		return Result{}, fmt.Errorf("recording of %s: %w", name, err)
	}
	files, err := recordedFiles(folder, name)
	return Result{Files: files, Record: record}, err
}

// recordedFiles lists a case's files as the container's results folder has
// them: its logs at the top, everything else in a folder of the case
// (spec/testapi-xtesting.md, b.5). A recording may have that layout, or all
// in one folder.
func recordedFiles(folder fs.FS, name string) ([]File, error) {
	var files []File
	from := map[string]string{}
	err := fs.WalkDir(folder, ".", func(at string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || at == testcases.RecordFile {
			return err
		}
		if !entry.Type().IsRegular() {
			return fmt.Errorf("%s is no regular file", at)
		}
		place := at
		if !strings.HasPrefix(at, name+"/") && !containerLog.MatchString(at) {
			place = path.Join(name, at)
		}
		if other, twice := from[place]; twice {
			return fmt.Errorf("%s and %s are the same file of the results: remove one", other, at)
		}
		from[place] = at
		files = append(files, File{Name: place, Open: func() (io.ReadCloser, error) { return folder.Open(at) }})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the recording of %s: %w", name, err)
	}
	return files, nil
}

// containerLog is what Xtesting writes beside the folder of the case.
var containerLog = regexp.MustCompile(`^(functest-kubernetes|xtesting)(\.debug)?\.log$`)
