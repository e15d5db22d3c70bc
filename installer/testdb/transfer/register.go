package transfer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/anuket-project/xtci/installer/testdb"
)

// maxNames is how many pods, projects and cases results may name.
const maxNames = 100_000

// A name is a pod, project or case that a result names.
type name struct {
	collection testdb.Collection
	// project is that of a case, otherwise empty.
	project, name string
}

// names are all that results name.
type names map[name]bool

// note takes the names in a document.
func (n names) note(c testdb.Collection, fields map[string]json.RawMessage) error {
	text := func(field string) (s string) {
		_ = json.Unmarshal(fields[field], &s) // what is no text names nothing
		return s
	}
	switch c {
	case testdb.Results:
		project := text("project_name")
		n[name{collection: testdb.Pods, name: text("pod_name")}] = true
		n[name{collection: testdb.Projects, name: project}] = true
		n[name{testdb.TestCases, project, text("case_name")}] = true
	case testdb.DeployResults:
		n[name{collection: testdb.Pods, name: text("pod_name")}] = true
	case testdb.TestCases:
		n[name{collection: testdb.Projects, name: text("project_name")}] = true
	}
	if len(n) > maxNames {
		return fmt.Errorf("results name more than %d pods, projects and cases: this is no history of test results", maxNames)
	}
	return nil
}

// register adds the pods, projects and cases that are named and not there.
func (i *importer) register(ctx context.Context) error {
	sorted := slices.SortedFunc(maps.Keys(i.names), func(a, b name) int {
		return cmp.Or(strings.Compare(string(a.collection), string(b.collection)), strings.Compare(a.project, b.project), strings.Compare(a.name, b.name))
	})
	for _, n := range sorted {
		added, err := i.registerOne(ctx, n)
		if err != nil {
			return fmt.Errorf("register %s %q: %w", n.collection, n.name, err)
		}
		if added {
			i.summary.Registered[n.collection] = append(i.summary.Registered[n.collection], n.label())
		}
	}
	return nil
}

func (i *importer) registerOne(ctx context.Context, n name) (added bool, err error) {
	members := []member{
		{"_id", quote(bson.NewObjectID().Hex())},
		{"name", quote(n.name)},
		{"creation_date", quote(time.Now().Format(pythonTime))},
	}
	if n.collection == testdb.TestCases {
		members = append(members, member{"project_name", quote(n.project)})
	}
	document, err := testdb.NewDocument(n.collection, joinMembers(members))
	if err != nil {
		return false, err
	}
	if _, err := i.store.Get(ctx, n.collection, document.Key); !errors.Is(err, testdb.ErrNotFound) {
		return false, err
	}
	return insert(ctx, i.store, n.collection, document)
}

func (n name) label() string {
	if n.collection == testdb.TestCases {
		return n.project + "/" + n.name
	}
	return n.name
}
