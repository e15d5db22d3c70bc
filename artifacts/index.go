package artifacts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// maxIndex is the largest index that is read: 24 records take 0.1 MB.
const maxIndex = 64 << 20

// An Index is every result record of a campaign, as TestAPI's GET /results
// answers (spec/testapi-xtesting.md, a.4): newest first.
type Index struct {
	Pagination Pagination         `json:"pagination"`
	Results    []testcases.Record `json:"results"`
}

// Pagination says which page of the results an index holds. The index of a
// classic zip holds the first page of possibly several.
type Pagination struct {
	CurrentPage int `json:"current_page"`
	TotalPages  int `json:"total_pages"`
}

// IndexName is the name of a campaign's index in a store or archive.
func IndexName(tag string) string { return tag + ".json" }

// readIndex reads the index of a campaign. One that is not there is an error
// that wraps fs.ErrNotExist.
func readIndex(files fs.FS, tag string) (Index, error) {
	name := IndexName(tag)
	if info, err := fs.Stat(files, name); err == nil && !info.Mode().IsRegular() {
		return Index{}, fmt.Errorf("%s is no regular file", name)
	}
	file, err := files.Open(name)
	if err != nil {
		return Index{}, err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxIndex+1))
	if err != nil {
		return Index{}, fmt.Errorf("read %s: %w", name, err)
	}
	if len(raw) > maxIndex {
		return Index{}, fmt.Errorf("%s is larger than %d MiB: not an index", name, maxIndex>>20)
	}
	var index Index
	if err := json.Unmarshal(raw, &index); err != nil {
		return Index{}, fmt.Errorf("%s is not an index of results: %w", name, jsonPlace(raw, err))
	}
	for i, record := range index.Results {
		if record.BuildTag != tag {
			return Index{}, fmt.Errorf("%s: result %d has build_tag %q, not %q", name, i+1, record.BuildTag, tag)
		}
	}
	return index, nil
}

// jsonPlace adds the line to an error of encoding/json, which knows the byte.
func jsonPlace(raw []byte, err error) error {
	offset := int64(-1)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = syntax.Offset
	} else if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = kind.Offset
	}
	if offset < 0 || offset > int64(len(raw)) {
		return err
	}
	return fmt.Errorf("line %d: %w", strings.Count(string(raw[:offset]), "\n")+1, err)
}

// A StoredIndex is the index of a campaign in a store, to which records are
// added while the campaign runs.
type StoredIndex struct {
	store *DirStore
	tag   string
}

// Index returns the index of the campaign with that build tag.
func (s *DirStore) Index(tag string) *StoredIndex { return &StoredIndex{store: s, tag: tag} }

// Add puts a record in front of the others. It is on disk when Add returns.
func (x *StoredIndex) Add(ctx context.Context, record testcases.Record) error {
	x.store.indexes.Lock()
	defer x.store.indexes.Unlock()
	index, err := readIndex(x.store.FS(), x.tag)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	index.Pagination = Pagination{CurrentPage: 1, TotalPages: 1}
	record.BuildTag = x.tag
	index.Results = append([]testcases.Record{record}, index.Results...)
	return x.store.write(ctx, IndexName(x.tag), func(w io.Writer) error {
		return writeIndex(w, index)
	})
}

// Find returns the record with that id, or nil when there is none.
func (x *StoredIndex) Find(_ context.Context, id string) (*testcases.Record, error) {
	index, err := readIndex(x.store.FS(), x.tag)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for i := range index.Results {
		if index.Results[i].ID == id {
			return &index.Results[i], nil
		}
	}
	return nil, nil //nolint:nilnil // that there is none is an answer
}

// writeIndex writes an index as TestAPI does: one line.
func writeIndex(w io.Writer, index Index) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(index)
}
