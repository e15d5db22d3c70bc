package testcases

import "encoding/json"

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
