package testdb

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
)

// A Collection is one kind of documents, by TestAPI's name for it.
type Collection string

// The collections of TestAPI.
const (
	Pods          Collection = "pods"
	Projects      Collection = "projects"
	TestCases     Collection = "testcases"
	Scenarios     Collection = "scenarios"
	Results       Collection = "results"
	DeployResults Collection = "deployresults"
)

// A Document is one JSON object as it is stored and answered, with its _id.
type Document struct {
	// ID is an ObjectId in TestAPI's form: 24 lower-case hexadecimal digits.
	ID string
	// Key is what the document is found and kept unique by: the name of a
	// pod, project or scenario; CaseKey of a test case; the ID of results.
	Key string
	// Body is the object, _id included, all keys always present.
	Body json.RawMessage
}

// CaseKey is the key of a test case: unique within its project.
func CaseKey(project, name string) string { return project + "\x00" + name }

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
	// ErrFull says that there is no room to store; it goes away by itself
	// when there is.
	ErrFull = errors.New("the disk is full")
)

// A Store keeps documents. What it returned without an error is on disk. It
// is safe for concurrent use.
type Store interface {
	// Insert adds a document, or returns ErrExists for a key that is taken.
	Insert(ctx context.Context, c Collection, d Document) error
	// Get returns the document of that key, or ErrNotFound.
	Get(ctx context.Context, c Collection, key string) (Document, error)
	// Replace puts a document in the place of that of the key, which may be
	// another than the new one's. It returns ErrNotFound or ErrExists.
	Replace(ctx context.Context, c Collection, key string, d Document) error
	// Delete removes the document of that key, or returns ErrNotFound.
	Delete(ctx context.Context, c Collection, key string) error
	// Find streams the documents that a query matches. It does not block
	// writers, however long it takes.
	Find(ctx context.Context, c Collection, q Query) iter.Seq2[Document, error]
	// Count counts the documents that a query matches, without its limit
	// and offset.
	Count(ctx context.Context, c Collection, q Query) (int, error)
	// Campaigns lists the build tags that have results, the newest first.
	Campaigns(ctx context.Context, q CampaignQuery) ([]CampaignRow, error)
	// Backup writes a consistent copy to a new file while serving.
	Backup(ctx context.Context, file string) error
	// AddToken and HasToken keep the hashes of tokens that may write.
	AddToken(ctx context.Context, name string, hash []byte) error
	HasToken(ctx context.Context, hash []byte) (bool, error)
	// Ping says whether the store can be read and written.
	Ping(ctx context.Context) error
	Close() error
}

// A Query selects documents of a collection. All its filters must match.
type Query struct {
	Filters []Filter
	// From and To bound start_date, compared as text: From <= start_date < To.
	// Nil leaves the side open. Documents without a start_date never match a
	// bound.
	From, To *string
	// Newest asks for the newest first, by insertion; otherwise the oldest.
	Newest bool
	// Limit and Offset cut the list; a limit of 0 is none.
	Limit, Offset int
}

// A Filter wants a field to be that text. A path has dots between the names
// of nested objects: details.k. Fields that are no text never match.
type Filter struct {
	Path, Value string
}

// A CampaignQuery selects build tags.
type CampaignQuery struct {
	// Tag, if not empty, selects the one tag.
	Tag           string
	Limit, Offset int
}

// A CampaignRow is what the results of one build tag amount to.
type CampaignRow struct {
	BuildTag       string
	Results        int
	Passed, Failed int
	// Started and Stopped are the earliest start_date and the latest
	// stop_date, as text.
	Started, Stopped string
}
