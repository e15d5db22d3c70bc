package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/anuket-project/xtci/installer/testdb"
)

// maxKey is how long a key may be, in bytes: PostgreSQL has no room for more
// in an index.
const maxKey = 2000

// A table is where the documents of a collection are.
type table struct {
	collection testdb.Collection
	name       string
	// shared says that the table has several collections; then it has a
	// column collection, and the columns key and id. Otherwise the key is
	// the id, and documents stay as they are.
	shared bool
	// columns are the fields with an index of their own, named after both.
	columns []string
}

// tableOf returns the table of a collection.
func tableOf(c testdb.Collection) (table, error) {
	switch c {
	case testdb.Results, testdb.DeployResults:
		return table{collection: c, name: string(c), columns: []string{
			"pod_name", "project_name", "case_name", "build_tag", "version", "installer", "scenario", "criteria", startDate,
		}}, nil
	case testdb.Pods, testdb.Projects, testdb.TestCases, testdb.Scenarios:
		return table{collection: c, name: "documents", shared: true}, nil
	default:
		return table{}, fmt.Errorf("the test DB has no collection %q", c)
	}
}

// key is the column that documents are found by, id that of the id.
func (t table) key() string {
	if t.shared {
		return "key"
	}
	return "id"
}

// where is the condition for a key, and its arguments.
func (t table) where(d dialect, key string) (string, []any) {
	if t.shared {
		return `collection = ? AND key = ?`, []any{d.text(string(t.collection)), d.text(key)}
	}
	return `id = ?`, []any{d.text(key)}
}

// Insert adds a document: on disk when it returns nil. Its body must be a
// JSON object in UTF-8, and its key have at most 2,000 bytes.
func (s *Store) Insert(ctx context.Context, c testdb.Collection, doc testdb.Document) error {
	if err := s.insert(ctx, c, doc); err != nil {
		return fmt.Errorf("store %s %s: %w", c, label(doc.Key), err)
	}
	return nil
}

func (s *Store) insert(ctx context.Context, c testdb.Collection, doc testdb.Document) error {
	t, err := tableOf(c)
	if err != nil {
		return err
	}
	if err := check(t, doc); err != nil {
		return err
	}
	if t.shared {
		return s.write(ctx, len(doc.Body), func(ctx context.Context, b *batch) error {
			seq, err := b.number(ctx, testdb.ErrExists,
				`INSERT INTO documents (collection, key, id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING seq`,
				s.d.text(string(c)), s.d.text(doc.Key), s.d.text(doc.ID))
			if err != nil {
				return err
			}
			return b.insertBody(ctx, t, seq, doc.Body)
		})
	}
	row := rowOf(t, doc)
	args := []any{s.d.text(doc.ID)}
	for _, column := range t.columns {
		args = append(args, nullable(s.d, row.columns, column))
	}
	statement := `INSERT INTO ` + t.name + ` (id, ` + strings.Join(t.columns, ", ") + `) VALUES (?` +
		strings.Repeat(", ?", len(t.columns)) + `) ON CONFLICT DO NOTHING RETURNING seq`
	return s.write(ctx, len(doc.Body), func(ctx context.Context, b *batch) error {
		seq, err := b.number(ctx, testdb.ErrExists, statement, args...)
		if err != nil {
			return err
		}
		b.tally.add(t, seq, row)
		return b.insertBody(ctx, t, seq, doc.Body)
	})
}

func (b *batch) insertBody(ctx context.Context, t table, seq int64, body []byte) error {
	_, err := b.exec(ctx, `INSERT INTO `+t.name+`_bodies (seq, body) VALUES (?, ?)`, seq, b.s.d.text(string(body)))
	return err
}

// Get returns the document of a key.
func (s *Store) Get(ctx context.Context, c testdb.Collection, key string) (testdb.Document, error) {
	doc := testdb.Document{Key: key}
	t, err := tableOf(c)
	if err != nil {
		return testdb.Document{}, err
	}
	where, args := t.where(s.d, key)
	var body []byte
	err = s.reader.QueryRowContext(ctx, s.d.sql(`SELECT d.id, b.body FROM `+t.name+` d JOIN `+t.name+`_bodies b ON b.seq = d.seq WHERE `+where),
		args...).Scan(&doc.ID, &body)
	if errors.Is(err, sql.ErrNoRows) {
		err = testdb.ErrNotFound
	}
	if err != nil {
		return testdb.Document{}, fmt.Errorf("get %s %s: %w", c, label(key), s.explain(err))
	}
	doc.Body = body
	return doc, nil
}

// Replace puts a document in the place, and at the position, of another.
func (s *Store) Replace(ctx context.Context, c testdb.Collection, key string, doc testdb.Document) error {
	t, err := changing(c)
	if err == nil {
		err = check(t, doc)
	}
	if err == nil {
		err = s.write(ctx, len(doc.Body), func(ctx context.Context, b *batch) error {
			return b.replace(ctx, t, key, doc)
		})
	}
	if err != nil {
		return fmt.Errorf("replace %s %s: %w", c, label(key), err)
	}
	return nil
}

func (b *batch) replace(ctx context.Context, t table, key string, doc testdb.Document) error {
	seq, err := b.find(ctx, t, key)
	if err != nil {
		return err
	}
	if doc.Key != key {
		// A conflict in UPDATE would end the transaction for all.
		if _, err := b.find(ctx, t, doc.Key); err == nil {
			return testdb.ErrExists
		} else if !errors.Is(err, testdb.ErrNotFound) {
			return err
		}
	}
	if _, err := b.exec(ctx, `UPDATE documents SET key = ?, id = ? WHERE seq = ?`, b.s.d.text(doc.Key), b.s.d.text(doc.ID), seq); err != nil {
		return err
	}
	_, err = b.exec(ctx, `UPDATE documents_bodies SET body = ? WHERE seq = ?`, b.s.d.text(string(doc.Body)), seq)
	return err
}

// Delete removes a document.
func (s *Store) Delete(ctx context.Context, c testdb.Collection, key string) error {
	t, err := changing(c)
	if err == nil {
		err = s.write(ctx, 0, func(ctx context.Context, b *batch) error {
			seq, err := b.find(ctx, t, key)
			if err != nil {
				return err
			}
			if _, err := b.exec(ctx, `DELETE FROM documents WHERE seq = ?`, seq); err != nil {
				return err
			}
			_, err = b.exec(ctx, `DELETE FROM documents_bodies WHERE seq = ?`, seq)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("delete %s %s: %w", c, label(key), err)
	}
	return nil
}

// find returns the position of a document.
func (b *batch) find(ctx context.Context, t table, key string) (int64, error) {
	where, args := t.where(b.s.d, key)
	return b.number(ctx, testdb.ErrNotFound, `SELECT seq FROM `+t.name+` WHERE `+where, args...)
}

// changing returns the table of a collection whose documents may change.
func changing(c testdb.Collection) (table, error) {
	t, err := tableOf(c)
	if err == nil && !t.shared {
		err = errors.New("results stay as they were posted")
	}
	return t, err
}

// check refuses what cannot be stored.
func check(t table, doc testdb.Document) error {
	switch {
	case !utf8.Valid(doc.Body) || !json.Valid(doc.Body) || doc.Body[skipSpace(doc.Body, 0)] != '{':
		return errors.New("the document is not a JSON object in UTF-8")
	case len(doc.Key) > maxKey:
		return fmt.Errorf("its name has %d bytes, more than the %d there is room for", len(doc.Key), maxKey)
	case !t.shared && doc.Key != doc.ID:
		return errors.New("the key of a result is its ID")
	}
	return nil
}

// A row is what the tables keep of a result beside its body.
type row struct {
	columns map[string]string // those that are text, as they are searched for
	stopped string
}

// rowOf reads the row out of a document. Of a name that is there twice, the
// last counts.
func rowOf(t table, doc testdb.Document) row {
	r := row{columns: map[string]string{}}
	for name, value := range members(doc.Body) {
		s, isText := text(value)
		switch {
		case name == "stop_date":
			r.stopped = s
		case !slices.Contains(t.columns, name):
		case isText:
			r.columns[name] = searched(s)
		default:
			delete(r.columns, name)
		}
	}
	return r
}

func nullable(d dialect, columns map[string]string, name string) any {
	if s, ok := columns[name]; ok {
		return d.text(s)
	}
	return nil
}

// searched is the form in which a text is in an index: as it is, or its
// beginning and its digest where it is too long for an index.
func searched(s string) string {
	const longest, kept = 512, 256
	if len(s) <= longest {
		return s
	}
	digest := sha256.Sum256([]byte(s))
	return strings.ToValidUTF8(s[:kept], "") + "… sha256:" + hex.EncodeToString(digest[:])
}

// label is a key in the words of a message.
func label(key string) string {
	const longest = 80
	key = strings.ReplaceAll(key, "\x00", "/")
	if len(key) > longest {
		key = strings.ToValidUTF8(key[:longest], "") + "…"
	}
	return fmt.Sprintf("%q", key)
}
