package testcases

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// Criteria is the outcome that a container pushes: PASS or FAIL, or empty
// when nothing was pushed.
type Criteria string

// What TestAPI accepts as criteria (spec/testapi-xtesting.md, a.3).
const (
	CriteriaNone Criteria = ""
	CriteriaPass Criteria = "PASS"
	CriteriaFail Criteria = "FAIL"
)

// A Record is one result as Xtesting pushes it and TestAPI returns it: the
// 11 fields of POST /results, and the id. Fields that were null stay null.
type Record struct {
	ID          string          `json:"_id,omitempty"`
	BuildTag    string          `json:"build_tag"`
	CaseName    string          `json:"case_name"`
	Criteria    Criteria        `json:"criteria"`
	Details     json.RawMessage `json:"details"`
	Installer   *string         `json:"installer"`
	PodName     string          `json:"pod_name"`
	ProjectName string          `json:"project_name"`
	Scenario    *string         `json:"scenario"`
	StartDate   *string         `json:"start_date"`
	StopDate    *string         `json:"stop_date"`
	Version     *string         `json:"version"`
}

// UnmarshalJSON reads a record strictly: encoding/json takes "Criteria" for
// "criteria" and the last of two, and other tools do not.
func (r *Record) UnmarshalJSON(raw []byte) error {
	if err := checkKeys(raw); err != nil {
		return err
	}
	type plain Record // without this method
	return json.Unmarshal(raw, (*plain)(r))
}

// checkKeys refuses keys of an object that stand twice, whatever their case.
func checkKeys(raw []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return fmt.Errorf("a record is an object, not %.20s", raw)
	}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		key := strings.ToLower(fmt.Sprint(token))
		if seen[key] {
			return fmt.Errorf("the key %q stands twice", key)
		}
		seen[key] = true
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return err
		}
	}
	return nil
}

// RecordFile is where a folder of recorded results keeps what was pushed.
const RecordFile = "record.json"

// maxRecord is the largest record that is read: kube-bench's has 0.1 MB.
const maxRecord = 64 << 20

// ReadRecord reads the record that a container pushed of a case from
// record.json in a folder of its files. It returns nil when there is none:
// the container pushed nothing.
func ReadRecord(files fs.FS, caseName string) (*Record, error) {
	info, err := fs.Stat(files, RecordFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // that nothing was pushed is an answer
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for ever
		return nil, fmt.Errorf("%s is no regular file", RecordFile)
	}
	file, err := files.Open(RecordFile)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxRecord+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", RecordFile, err)
	}
	var record Record
	if err := json.Unmarshal(raw, &record); err != nil {
		return nil, fmt.Errorf("%s is not a record: %w", RecordFile, err)
	}
	if record.CaseName != caseName {
		return nil, fmt.Errorf("%s is the record of %q, not of %s", RecordFile, record.CaseName, caseName)
	}
	record.Criteria = Criteria(strings.ToUpper(string(record.Criteria))) // as TestAPI compares it
	if record.Criteria != CriteriaPass && record.Criteria != CriteriaFail {
		return nil, fmt.Errorf("%s: criteria is %q, want PASS or FAIL", RecordFile, record.Criteria)
	}
	return &record, nil
}
