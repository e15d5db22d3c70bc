package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/anuket-project/xtci/installer/testdb"
)

// DefaultDatabase is the database of the old server in MongoDB.
const DefaultDatabase = "test_results_collection"

// A Format is what a history can be in. All may be compressed with gzip.
type Format string

// The formats that Import reads.
const (
	// Auto looks at the first bytes.
	Auto Format = ""
	// Archive is what mongodump --archive writes.
	Archive Format = "archive"
	// JSON is answers of GET /results, /deployresults, /pods, /projects,
	// /projects/P/cases and /scenarios, or documents as mongoexport writes
	// them, in any number: one after the other or in a list.
	JSON Format = "json"
)

// Options are the details of an import.
type Options struct {
	// Name is what messages call the input; "the input" if empty.
	Name string
	// Database is the one to import from a dump; DefaultDatabase if empty.
	Database string
	// Collection is that of JSON documents that stand alone, outside of an
	// answer; testdb.Results if empty.
	Collection testdb.Collection
	// TempDir is where the temporary file goes; that of the system if empty.
	TempDir string
}

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "the input"
	}
	if o.Database == "" {
		o.Database = DefaultDatabase
	}
	if o.Collection == "" {
		o.Collection = testdb.Results
	}
	return o
}

// Import reads a history and stores what is new of it. Pods, projects and
// cases that results name but that are nowhere are registered. When the
// history cannot be read to its end, what comes before the fault is stored,
// nothing is registered, and the error says where the fault is. The summary
// is right in any case.
func Import(ctx context.Context, store testdb.Store, r io.Reader, format Format, o Options) (Summary, error) {
	o = o.withDefaults()
	return run(ctx, store, o, func(i *importer) error {
		in, err := open(ctx, r, o.Name)
		if err != nil {
			return err
		}
		return i.read(in, format)
	})
}

// run reads with the function and then stores what was read.
func run(ctx context.Context, store testdb.Store, o Options, read func(*importer) error) (Summary, error) {
	s, err := newSpool(o.TempDir)
	if err != nil {
		return Summary{}, err
	}
	i := &importer{options: o, store: store, spool: s, summary: newSummary(), names: names{}}
	readErr := read(i)
	if ctx.Err() == nil {
		err = i.storeAll(ctx, readErr == nil)
	}
	switch {
	case readErr != nil && err == nil && ctx.Err() == nil && s.n > 0:
		err = fmt.Errorf("%w; the documents before that are in the test DB (%d of them new): correct it and import again, what is there is skipped",
			readErr, i.summary.imported())
	case readErr != nil:
		err = errors.Join(readErr, err)
	}
	return i.summary, errors.Join(err, s.close())
}

// An importer carries one import.
type importer struct {
	options Options
	store   testdb.Store
	spool   *spool
	summary Summary
	names   names
}

// read reads an input to its end.
func (i *importer) read(in *input, format Format) error {
	if format == Auto {
		var err error
		if format, err = detect(in); err != nil {
			return err
		}
	}
	switch format {
	case Archive:
		return i.readArchive(in)
	case JSON:
		return i.readJSON(in)
	}
	return fmt.Errorf("the format %q is not known: there are %q and %q", format, Archive, JSON)
}

// detect tells a format by the first bytes.
func detect(in *input) (Format, error) {
	head, err := in.r.Peek(len(archiveMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return "", in.failure(err)
	}
	if string(head) == archiveMagic {
		return Archive, nil
	}
	switch c, err := in.peekToken(); {
	case errors.Is(err, io.EOF):
		return "", fmt.Errorf("%s is empty: give it a dump of mongodump --archive, or answers of GET /results", in.name)
	case err != nil:
		return "", in.failure(err)
	case c == '{' || c == '[':
		return JSON, nil
	}
	return "", fmt.Errorf("%s is neither a dump of mongodump --archive nor JSON: it begins with %q; a single .bson file goes in with its folder", in.name, head)
}

// add takes a document that was read into the spool. The object is JSON that
// begins at the offset; its types are those of MongoDB's extended JSON where
// it comes from there.
func (i *importer) add(in *input, c testdb.Collection, raw json.RawMessage, offset int64) error {
	tally := i.summary.tally(c)
	if err := i.addDocument(c, raw); err != nil {
		return fmt.Errorf("%s: document %d of %s, at byte %d: %w", in.name, tally.Read+1, c, offset, err)
	}
	tally.Read++
	return nil
}

func (i *importer) addDocument(c testdb.Collection, raw json.RawMessage) error {
	given, err := parseMembers(raw)
	if err != nil {
		return err
	}
	shaped, texts := reshape(c, given)
	document, err := testdb.NewDocument(c, joinMembers(shaped))
	if err != nil {
		return err
	}
	if len(document.Body) > maxJSON {
		return fmt.Errorf("as JSON it has %d bytes, more than the %d that the test DB takes", len(document.Body), maxJSON)
	}
	fields, err := fieldsOf(document)
	if err != nil {
		return err
	}
	if err := i.names.note(c, fields); err != nil {
		return err
	}
	if err := i.spool.add(c, document); err != nil {
		return err
	}
	i.summary.Texts += texts
	i.summary.noteDropped(c, given, fields)
	return nil
}

// storeAll stores what was read: first what results refer to. What they refer
// to and nobody has is registered if nothing more can come.
func (i *importer) storeAll(ctx context.Context, complete bool) error {
	for _, c := range []testdb.Collection{testdb.Pods, testdb.Projects, testdb.TestCases, testdb.Scenarios} {
		if err := i.storeCollection(ctx, c); err != nil {
			return err
		}
	}
	if complete {
		if err := i.register(ctx); err != nil {
			return err
		}
	}
	for _, c := range []testdb.Collection{testdb.DeployResults, testdb.Results} {
		if err := i.storeCollection(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (i *importer) storeCollection(ctx context.Context, c testdb.Collection) error {
	tally := i.summary.Collections[c] // there is one if there are documents
	for document, err := range i.spool.sorted(c) {
		if err != nil {
			return err
		}
		isNew, err := insert(ctx, i.store, c, document)
		if err != nil {
			return fmt.Errorf("import %s %s: %w; import again when that is mended, what is there is skipped", c, document.ID, err)
		}
		if isNew {
			tally.Imported++
		} else {
			tally.Present++
		}
	}
	return nil
}

// insert stores a document and says whether it is new.
func insert(ctx context.Context, store testdb.Store, c testdb.Collection, d testdb.Document) (isNew bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	err = store.Insert(ctx, c, d)
	if errors.Is(err, testdb.ErrExists) {
		return false, nil
	}
	return err == nil, err
}
