package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// recordFile is what a container pushed, in the folder of its case.
const recordFile = "record.json"

// maxRecord is the largest recorded record that is read.
const maxRecord = 64 << 20

// A Replay is an executor that feeds recorded results: a folder for each
// case with the files that a container left and, in record.json, what it
// pushed. A case without record.json pushed nothing.
type Replay struct {
	Recording fs.FS
}

// Execute implements Executor.
func (r Replay) Execute(ctx context.Context, job testcases.Job) (Result, error) {
	if err := context.Cause(ctx); err != nil {
		return Result{}, err
	}
	name := job.Case.Name
	if info, err := fs.Stat(r.Recording, name); err != nil || !info.IsDir() {
		return Result{}, fmt.Errorf("the recording has no folder %s", name)
	}
	folder, err := fs.Sub(r.Recording, name)
	if err != nil {
		return Result{}, err
	}
	record, err := readRecord(folder, name)
	if err != nil {
		return Result{}, err
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
	err := fs.WalkDir(folder, ".", func(at string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || at == recordFile {
			return err
		}
		if !entry.Type().IsRegular() {
			return fmt.Errorf("%s is no regular file", at)
		}
		place := at
		if !strings.HasPrefix(at, name+"/") && !containerLog.MatchString(at) {
			place = path.Join(name, at)
		}
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

func readRecord(files fs.FS, name string) (*testcases.Record, error) {
	file, err := files.Open(recordFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // that nothing was pushed is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("%s/%s: %w", name, recordFile, err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxRecord))
	if err != nil {
		return nil, fmt.Errorf("%s/%s: %w", name, recordFile, err)
	}
	var record testcases.Record
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if err := decoder.Decode(&record); err != nil {
		return nil, fmt.Errorf("%s/%s is not a record: %w", name, recordFile, err)
	}
	if record.CaseName != name {
		return nil, fmt.Errorf("%s/%s is the record of %q", name, recordFile, record.CaseName)
	}
	if c := testcases.Criteria(strings.ToUpper(string(record.Criteria))); c != testcases.CriteriaPass && c != testcases.CriteriaFail {
		return nil, fmt.Errorf("%s/%s: criteria is %q, want PASS or FAIL", name, recordFile, record.Criteria)
	}
	return &record, nil
}
