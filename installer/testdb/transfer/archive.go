package transfer

import (
	"errors"
	"fmt"
	"hash"
	"hash/crc64"
	"io"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/anuket-project/xtci/installer/testdb"
)

// The format of mongodump --archive, by its specification (mongo-tools,
// common/archive/spec.md): a magic number; a prelude, which is a header and a
// document for each collection; then segments of documents of one collection
// each, in any mixture. Prelude and segments end in a terminator. A segment
// begins with a header that names the collection; the last of a collection is
// empty, and its header has the checksum of all its documents.
const (
	archiveMagic   = "\x6d\xe2\x99\x81"
	archiveVersion = "0.1"
	// maxNamespaces is how many collections an archive may have.
	maxNamespaces = 10_000
)

// An archive is the state of reading one.
type archive struct {
	in     *input
	buffer []byte
	crc    *crc64.Table
	// namespaces are the collections seen so far, by database.collection.
	namespaces map[string]*namespace
}

// A namespace is a collection in an archive.
type namespace struct {
	name string
	// collection is what it is to us; empty for those that are left out.
	collection testdb.Collection
	// sum is that of the documents so far, nil before the first header.
	sum  hash.Hash64
	done bool
}

// readArchive reads what mongodump --archive wrote.
func (i *importer) readArchive(in *input) error {
	a := &archive{in: in, crc: crc64.MakeTable(crc64.ECMA), namespaces: map[string]*namespace{}}
	if err := i.readPrelude(a); err != nil {
		return err
	}
	for {
		err := i.readSegment(a)
		if errors.Is(err, io.EOF) {
			return i.endArchive(a)
		}
		if err != nil {
			return err
		}
	}
}

// readPrelude reads what is in the archive.
func (i *importer) readPrelude(a *archive) error {
	var magic [len(archiveMagic)]byte
	if err := a.in.readFull(magic[:]); err != nil {
		return a.in.failure(err)
	}
	if string(magic[:]) != archiveMagic {
		return a.in.wrong(0, "it is no dump of mongodump --archive: it begins with %x, not %x", magic, archiveMagic)
	}
	header, start, err := a.document()
	if err != nil {
		return a.damaged(start, err)
	}
	if version, _ := header.Lookup("version").StringValueOK(); version != archiveVersion {
		return a.in.wrong(start, "the archive has the format version %q, and only %q is known: dump it again with another mongodump", version, archiveVersion)
	}
	for {
		metadata, start, err := a.document()
		if errors.Is(err, errTerminator) {
			return nil
		}
		if err != nil {
			return a.damaged(start, err)
		}
		if _, err := i.namespace(a, metadata, start); err != nil {
			return err
		}
	}
}

// readSegment reads documents of one collection, or the end of one. It
// returns io.EOF at the end of the archive.
func (i *importer) readSegment(a *archive) error {
	header, start, err := a.document()
	if errors.Is(err, io.EOF) && a.in.offset == start {
		return io.EOF
	}
	if err != nil {
		return a.damaged(start, err)
	}
	n, err := i.namespace(a, header, start)
	if err != nil {
		return err
	}
	if n.done {
		return a.in.wrong(start, "%s goes on after its end; the archive is damaged, so copy or dump it again", n.name)
	}
	if n.sum == nil {
		n.sum = crc64.New(a.crc)
	}
	if last, _ := header.Lookup("EOF").BooleanOK(); last {
		return a.end(n, header, start)
	}
	return i.readDocuments(a, n)
}

// readDocuments reads the documents of a segment.
func (i *importer) readDocuments(a *archive, n *namespace) error {
	for {
		raw, start, err := a.document()
		if errors.Is(err, errTerminator) {
			return nil
		}
		if err != nil {
			return a.damaged(start, err)
		}
		_, _ = n.sum.Write(raw) // it never fails
		if n.collection == "" {
			continue
		}
		if err := i.addBSON(a.in, n.collection, raw, start); err != nil {
			return err
		}
	}
}

// end checks the documents of a collection against its last header.
func (a *archive) end(n *namespace, header bson.Raw, start int64) error {
	want, ok := header.Lookup("CRC").Int64OK()
	if sum := int64(n.sum.Sum64()); !ok || sum != want { //nolint:gosec // BSON has no unsigned integers
		return a.in.wrong(start, "the documents of %s have the checksum %016x, not %016x as the archive says: it is damaged, so copy or dump it again",
			n.name, uint64(sum), uint64(want)) //nolint:gosec // the same bits
	}
	n.done = true
	if _, start, err := a.document(); !errors.Is(err, errTerminator) {
		if err == nil {
			err = errors.New("documents follow the end of " + n.name)
		}
		return a.damaged(start, err)
	}
	return nil
}

// endArchive checks that every collection came to its end.
func (i *importer) endArchive(a *archive) error {
	var open []string
	known := false
	for name, n := range a.namespaces {
		known = known || n.collection != ""
		if !n.done && (n.collection != "" || n.sum != nil) {
			open = append(open, name)
		}
	}
	slices.Sort(open)
	if len(open) > 0 {
		return a.in.wrong(a.in.offset, "the archive ends before %s does: it was cut off, so copy or dump it again: %w", list(open), io.ErrUnexpectedEOF)
	}
	if !known {
		return fmt.Errorf("%s has no collection of the test DB in the database %s; it has %s: name another database, or dump the right one",
			a.in.name, i.options.Database, list(i.summary.Skipped))
	}
	return nil
}

// document reads a document, and returns where it begins.
func (a *archive) document() (raw bson.Raw, start int64, err error) {
	start = a.in.offset
	raw, err = a.in.readBSON(&a.buffer)
	return raw, start, err
}

// damaged explains why there is no document.
func (a *archive) damaged(start int64, err error) error {
	switch {
	case errors.Is(err, errTerminator):
		return a.in.wrong(start, "%w; the archive is damaged, so copy or dump it again", err)
	case errors.Is(err, io.EOF):
		return a.in.failure(err)
	}
	return err
}

// namespace finds the collection that a header names, or notes a new one.
func (i *importer) namespace(a *archive, header bson.Raw, start int64) (*namespace, error) {
	database, okDatabase := header.Lookup("db").StringValueOK()
	collection, okCollection := header.Lookup("collection").StringValueOK()
	if !okDatabase || !okCollection || collection == "" {
		return nil, a.in.wrong(start, "the header names no collection; the archive is damaged, so copy or dump it again")
	}
	name := database + "." + collection
	if n := a.namespaces[name]; n != nil {
		return n, nil
	}
	if len(a.namespaces) == maxNamespaces {
		return nil, a.in.wrong(start, "it has more than %d collections: dump the database %s alone", maxNamespaces, i.options.Database)
	}
	n := &namespace{name: name}
	if c := testdb.Collection(collection); database == i.options.Database && isCollection(c) {
		n.collection = c
		i.summary.tally(c)
	} else {
		i.summary.Skipped = append(i.summary.Skipped, name)
	}
	a.namespaces[name] = n
	return n, nil
}

// collections are those that are imported.
func collections() []testdb.Collection {
	return []testdb.Collection{
		testdb.Pods, testdb.Projects, testdb.TestCases, testdb.Scenarios, testdb.DeployResults, testdb.Results,
	}
}

func isCollection(c testdb.Collection) bool { return slices.Contains(collections(), c) }

// list names things in a message, quoted, a dozen at most.
func list(names []string) string {
	const most = 12
	if len(names) == 0 {
		return "none"
	}
	quoted := make([]string, 0, most)
	for _, name := range names[:min(len(names), most)] {
		quoted = append(quoted, fmt.Sprintf("%.80q", name))
	}
	text := strings.Join(quoted, ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
