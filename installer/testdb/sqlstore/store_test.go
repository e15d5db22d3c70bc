package sqlstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/installer/testdb/pgtest"
	"github.com/anuket-project/xtci/installer/testdb/sqlstore"
)

func TestSQLite(t *testing.T) {
	t.Parallel()
	testStore(t, func(t *testing.T) string { return filepath.Join(t.TempDir(), "test #1?.db") })
}

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	testStore(t, func(t *testing.T) string { return server.Database(t) })
}

// testStore is the contract of testdb.Store, for the databases that database
// makes.
func testStore(t *testing.T, database func(*testing.T) string) {
	tests := []struct {
		name string
		run  func(*testing.T, string)
	}{
		{"documents are kept, found, replaced and deleted by their keys", testDocuments},
		{"results are kept as they are, in order", testResults},
		{"what is no document is refused", testRefused},
		{"any text is text, in keys, fields and values", testText},
		{"queries answer as decoding every document does", testQueries},
		{"changes of many clients are all made, and each is answered", testConcurrent},
		{"a walk sees what was there when it began", testWalk},
		{"a document that fails does not fail its neighbours", testNeighbours},
		{"tokens are found by their hash alone", testTokens},
		{"a context that has ended ends everything", testContext},
		{"a closed store says so", testClosed},
		{"what was stored is there when opened again", testReopened},
		{"several that open at once share one schema", testOpenedAtOnce},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, database(t))
		})
	}
}

func open(t testing.TB, dsn string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func testDocuments(t *testing.T, dsn string) {
	s, ctx := open(t, dsn), t.Context()
	pod := func(id, name string) testdb.Document {
		return testdb.Document{ID: id, Key: name, Body: body(map[string]any{"_id": id, "name": name})}
	}
	a, b, c := pod("1", "a"), pod("2", "b"), pod("3", "c")
	for _, doc := range []testdb.Document{a, b, c} {
		check(t, s.Insert(ctx, testdb.Pods, doc), nil)
	}
	check(t, s.Insert(ctx, testdb.Pods, pod("4", "b")), testdb.ErrExists)
	check(t, s.Insert(ctx, testdb.Projects, pod("5", "b")), nil) // keys are of one collection

	got, err := s.Get(ctx, testdb.Pods, "b")
	check(t, err, nil)
	diff(t, "pod b", b, got)
	for _, name := range []string{"B", "", "b\x00", "%"} {
		_, err = s.Get(ctx, testdb.Pods, name)
		check(t, err, testdb.ErrNotFound)
	}

	renamed := pod("1", "z")
	check(t, s.Replace(ctx, testdb.Pods, "a", renamed), nil)
	check(t, s.Replace(ctx, testdb.Pods, "a", renamed), testdb.ErrNotFound)
	check(t, s.Replace(ctx, testdb.Pods, "z", pod("1", "c")), testdb.ErrExists)
	check(t, s.Replace(ctx, testdb.Pods, "z", renamed), nil)
	diff(t, "pods after a change of name, in their order", []testdb.Document{renamed, b, c}, all(t, s.Find(ctx, testdb.Pods, testdb.Query{})))

	check(t, s.Delete(ctx, testdb.Pods, "b"), nil)
	check(t, s.Delete(ctx, testdb.Pods, "b"), testdb.ErrNotFound)
	check(t, s.Insert(ctx, testdb.Pods, b), nil)
	diff(t, "pods, newest first", []testdb.Document{b, c, renamed}, all(t, s.Find(ctx, testdb.Pods, testdb.Query{Newest: true})))
	n, err := s.Count(ctx, testdb.Pods, testdb.Query{})
	check(t, err, nil)
	diff(t, "count of pods", 3, n)
	check(t, s.Ping(ctx), nil)
}

func testResults(t *testing.T, dsn string) {
	s, ctx := open(t, dsn), t.Context()
	first, second := result(1, map[string]any{"build_tag": "x"}), result(2, map[string]any{"build_tag": nil})
	check(t, s.Insert(ctx, testdb.Results, first), nil)
	check(t, s.Insert(ctx, testdb.Results, second), nil)
	check(t, s.Insert(ctx, testdb.Results, first), testdb.ErrExists)
	check(t, s.Insert(ctx, testdb.DeployResults, first), nil)
	got, err := s.Get(ctx, testdb.Results, second.ID)
	check(t, err, nil)
	diff(t, "result", second, got)
	diff(t, "results", []testdb.Document{first, second}, all(t, s.Find(ctx, testdb.Results, testdb.Query{})))
	if s.Replace(ctx, testdb.Results, first.ID, first) == nil || s.Delete(ctx, testdb.Results, first.ID) == nil {
		t.Error("a result was changed")
	}
	n, err := s.Count(ctx, testdb.Results, testdb.Query{})
	check(t, err, nil)
	diff(t, "count, in which a refused result is none", 2, n)
	rows, err := s.Campaigns(ctx, testdb.CampaignQuery{})
	check(t, err, nil)
	diff(t, "campaigns, in which deploy results are none", []testdb.CampaignRow{{BuildTag: "x", Results: 1}}, rows)
}

func testRefused(t *testing.T, dsn string) {
	s, ctx := open(t, dsn), t.Context()
	for _, bad := range []string{"", " ", "null", "[]", `"x"`, `{"a":1`, `{"a":1}}`, "{\"a\":\"\xff\"}"} {
		if err := s.Insert(ctx, testdb.Pods, testdb.Document{ID: "1", Key: "a", Body: json.RawMessage(bad)}); err == nil {
			t.Errorf("a document %q was stored", bad)
		}
	}
	good := json.RawMessage(`{}`)
	if err := s.Insert(ctx, testdb.Pods, testdb.Document{ID: "1", Key: strings.Repeat("x", 3000), Body: good}); err == nil {
		t.Error("a key of 3,000 bytes was stored")
	}
	if err := s.Insert(ctx, testdb.Results, testdb.Document{ID: "1", Key: "2", Body: good}); err == nil {
		t.Error("a result with a key that is not its ID was stored")
	}
	if err := s.Insert(ctx, "users", testdb.Document{ID: "1", Key: "1", Body: good}); err == nil {
		t.Error("a document of an unknown collection was stored")
	}
	if _, err := sqlstore.Open(ctx, ""); err == nil {
		t.Error("a store without a name was opened")
	}
}

func testText(t *testing.T, dsn string) {
	s, ctx := open(t, dsn), t.Context()
	long := strings.Repeat("ä", 5000)
	texts := []string{
		"", " ", "12", "1.10", "007", "0x10", "1e3", "True", "null", "None", "a'b", `a"b`, `a\b`, "a\x00b", "ä", "𝄞", "%", "_", "$1", "?",
		"'; DROP TABLE results; --", "<&>", "\u2028", long + "1", long + "2",
	}
	for i, text := range texts {
		doc := result(i, map[string]any{"build_tag": text, "version": text, "details": map[string]any{"k": text}})
		check(t, s.Insert(ctx, testdb.Results, doc), nil)
		if len(text) < 2000 {
			key := testdb.CaseKey(text, text)
			check(t, s.Insert(ctx, testdb.TestCases, testdb.Document{ID: doc.ID, Key: key, Body: doc.Body}), nil)
			got, err := s.Get(ctx, testdb.TestCases, key)
			check(t, err, nil)
			diff(t, "case", testdb.Document{ID: doc.ID, Key: key, Body: doc.Body}, got)
		}
	}
	numbers := result(len(texts), map[string]any{"build_tag": 12, "version": 1.10, "details": map[string]any{"k": 12}})
	check(t, s.Insert(ctx, testdb.Results, numbers), nil)
	for i, text := range texts {
		for _, path := range []string{"build_tag", "version", "details.k"} {
			q := testdb.Query{Filters: []testdb.Filter{{Path: path, Value: text}}}
			found := all(t, s.Find(ctx, testdb.Results, q))
			if len(found) != 1 || found[0].ID != id(i) {
				t.Errorf("%s=%.20q finds %d results, want the one that was stored", path, text, len(found))
			}
			n, err := s.Count(ctx, testdb.Results, q)
			check(t, err, nil)
			diff(t, "count", 1, n)
		}
	}
}

func testQueries(t *testing.T, dsn string) {
	s, ctx := open(t, dsn), t.Context()
	random := rand.New(rand.NewPCG(1, 2))
	var m model
	for i := range 1200 {
		m = append(m, newEntry(result(i, randomResult(random))))
	}
	insertAll(t, s, m.docs())
	for i := range 600 {
		q := randomQuery(random)
		diff(t, fmt.Sprintf("query %d: %s", i, show(q)), ids(m.find(q)), ids(all(t, s.Find(ctx, testdb.Results, q))))
		n, err := s.Count(ctx, testdb.Results, q)
		check(t, err, nil)
		diff(t, fmt.Sprintf("count %d: %s", i, show(q)), m.count(q), n)
		if t.Failed() {
			return
		}
	}
	want := m.campaigns()
	got, err := s.Campaigns(ctx, testdb.CampaignQuery{})
	check(t, err, nil)
	diff(t, "campaigns", want, got)
	got, err = s.Campaigns(ctx, testdb.CampaignQuery{Limit: 2, Offset: 1})
	check(t, err, nil)
	diff(t, "the second and third campaign", want[1:3], got)
	got, err = s.Campaigns(ctx, testdb.CampaignQuery{Tag: want[2].BuildTag})
	check(t, err, nil)
	diff(t, "one campaign", want[2:3], got)

	// The small collections answer the same queries.
	for _, e := range m[:200] {
		check(t, s.Insert(ctx, testdb.Scenarios, e.doc), nil)
	}
	for i := range 200 {
		q := randomQuery(random)
		diff(t, fmt.Sprintf("scenarios %d: %s", i, show(q)), ids(m[:200].find(q)), ids(all(t, s.Find(ctx, testdb.Scenarios, q))))
		n, err := s.Count(ctx, testdb.Scenarios, q)
		check(t, err, nil)
		diff(t, "count", m[:200].count(q), n)
	}
}

// randomResult makes a result out of few values, so that queries meet it.
func randomResult(random *rand.Rand) map[string]any {
	pick := func(values ...any) any { return values[random.IntN(len(values))] }
	return map[string]any{
		"pod_name": pick("p1", "p2"), "project_name": "functest", "case_name": pick("c1", "c2", "c3"),
		"build_tag": pick("t1", "t2", "t3", "t4", "", nil, 7), "version": pick("v1", "7", 7, nil), "installer": pick("unknown", nil),
		"scenario": pick("s1", "s2", nil), "criteria": pick("PASS", "FAIL", "pass", "fail"),
		"start_date": pick(nil, "", "abc", 5, "ü", fmt.Sprintf("2026-%02d-%02d %02d:00:00", 1+random.IntN(3), 1+random.IntN(28), random.IntN(24)),
			fmt.Sprintf("2026-01-0%d", 1+random.IntN(9)), fmt.Sprintf("2026-01-0%d 10:00:00", 1+random.IntN(9))),
		"stop_date": pick(nil, 1, "2026-02-01 00:00:00", "2026-01-01 00:00:00"),
		"details": pick(nil, "text", []any{"x"}, map[string]any{"k": "x"}, map[string]any{"k": "y", "a.b": "x"}, map[string]any{"a": map[string]any{"b": "x"}},
			map[string]any{"k": 7}, map[string]any{"k": "line\nbreak"}, map[string]any{"": map[string]any{"": "x"}}, map[string]any{`q"`: "x"}),
	}
}

func randomQuery(random *rand.Rand) testdb.Query {
	filters := []testdb.Filter{
		{Path: "pod_name", Value: "p1"},
		{Path: "project_name", Value: "functest"},
		{Path: "case_name", Value: "c2"},
		{Path: "build_tag", Value: "t1"},
		{Path: "build_tag", Value: "t2"},
		{Path: "build_tag", Value: ""},
		{Path: "version", Value: "7"},
		{Path: "version", Value: "none"},
		{Path: "installer", Value: "unknown"},
		{Path: "scenario", Value: "s1"},
		{Path: "criteria", Value: "PASS"},
		{Path: "start_date", Value: ""},
		{Path: "start_date", Value: "2026-01-05"},
		{Path: "stop_date", Value: "2026-02-01 00:00:00"},
		{Path: "details", Value: "text"},
		{Path: "details.k", Value: "x"},
		{Path: "details.k", Value: "line\nbreak"},
		{Path: "details.a.b", Value: "x"},
		{Path: "details..", Value: "x"},
		{Path: `details.q"`, Value: "x"},
		{Path: "foo", Value: "bar"},
		{Path: "", Value: ""},
	}
	dates := []string{"", "2026", "2026-01", "2026-01-05", "2026-01-05 10:00:00", "2026-02-10", "2026-02-10 12", "2027", "abc", "a", "ü", "zzzzzzzzzzzzzz"}
	q := testdb.Query{Newest: random.IntN(2) == 0}
	for range random.IntN(4) {
		q.Filters = append(q.Filters, filters[random.IntN(len(filters))])
	}
	if random.IntN(3) == 0 {
		q.From = &dates[random.IntN(len(dates))]
	}
	if random.IntN(3) == 0 {
		q.To = &dates[random.IntN(len(dates))]
	}
	if random.IntN(3) > 0 {
		q.Limit = []int{1, 20, 499, 500, 501}[random.IntN(5)]
	}
	if random.IntN(3) == 0 {
		q.Offset = []int{1, 20, 700, 5000}[random.IntN(4)]
	}
	return q
}

func testConcurrent(t *testing.T, dsn string) {
	s, ctx := open(t, dsn), t.Context()
	const clients, each = 16, 20
	var group sync.WaitGroup
	var taken, stored sync.Map
	for client := range clients {
		group.Go(func() {
			for i := range each {
				check(t, s.Insert(ctx, testdb.Results, result(client*each+i, map[string]any{"build_tag": fmt.Sprint("t", i)})), nil)
				// Of a name that all want, one gets it.
				name := fmt.Sprint("pod", i)
				err := s.Insert(ctx, testdb.Pods, testdb.Document{ID: id(client), Key: name, Body: json.RawMessage(`{}`)})
				if err == nil {
					if _, twice := taken.LoadOrStore(name, client); twice {
						t.Errorf("%s was stored twice", name)
					}
				} else {
					check(t, err, testdb.ErrExists)
				}
				if _, err := s.Get(ctx, testdb.Results, id(client*each+i)); err != nil {
					t.Errorf("a result that was stored is not there: %v", err)
				}
				stored.Store(client*each+i, true)
			}
		})
	}
	group.Wait()
	n, err := s.Count(ctx, testdb.Results, testdb.Query{})
	check(t, err, nil)
	diff(t, "results", clients*each, n)
	diff(t, "results, found", clients*each, len(all(t, s.Find(ctx, testdb.Results, testdb.Query{}))))
	rows, err := s.Campaigns(ctx, testdb.CampaignQuery{})
	check(t, err, nil)
	diff(t, "campaigns", each, len(rows))
	for _, row := range rows {
		diff(t, "results of "+row.BuildTag, clients, row.Results)
	}
}

func testWalk(t *testing.T, dsn string) {
	s, ctx := open(t, dsn), t.Context()
	var m model
	for i := range 1200 {
		m = append(m, newEntry(result(i, nil)))
	}
	insertAll(t, s, m.docs())
	for _, newest := range []bool{false, true} {
		seen := 0
		for _, err := range s.Find(ctx, testdb.Results, testdb.Query{Newest: newest}) {
			check(t, err, nil)
			if seen++; seen%100 == 1 {
				// Neither does the walk stop the writer, nor is it given what is new.
				n := 10_000 + seen + map[bool]int{true: 5000}[newest]
				check(t, s.Insert(ctx, testdb.Results, result(n, nil)), nil)
			}
		}
		want := len(m)
		if newest {
			want += 12
		}
		diff(t, fmt.Sprint("documents, newest first: ", newest), want, seen)
	}
	for _, err := range s.Find(ctx, testdb.Results, testdb.Query{}) {
		check(t, err, nil)
		break // and one that is left is no trouble
	}
}

func testNeighbours(t *testing.T, dsn string) {
	s, ctx := open(t, dsn), t.Context()
	check(t, s.Insert(ctx, testdb.Results, result(0, nil)), nil)
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			if i%2 == 0 {
				check(t, s.Insert(ctx, testdb.Results, result(0, nil)), testdb.ErrExists)
			} else {
				check(t, s.Insert(ctx, testdb.Results, result(i, nil)), nil)
			}
		})
	}
	group.Wait()
	n, err := s.Count(ctx, testdb.Results, testdb.Query{})
	check(t, err, nil)
	diff(t, "results", 33, n)
}

func testTokens(t *testing.T, dsn string) {
	s, ctx := open(t, dsn), t.Context()
	hash := bytes.Repeat([]byte{0, 0xff}, 16)
	check(t, s.AddToken(ctx, "lab", hash), nil)
	check(t, s.AddToken(ctx, "lab", hash), testdb.ErrExists)
	check(t, s.AddToken(ctx, "lab", []byte("other")), nil)
	for _, test := range []struct {
		hash []byte
		want bool
	}{{hash, true}, {[]byte("other"), true}, {hash[:31], false}, {[]byte("lab"), false}, {[]byte{}, false}, {nil, false}} {
		got, err := s.HasToken(ctx, test.hash)
		check(t, err, nil)
		diff(t, fmt.Sprintf("token %x", test.hash), test.want, got)
	}
}

func testContext(t *testing.T, dsn string) {
	s := open(t, dsn)
	check(t, s.Insert(t.Context(), testdb.Results, result(1, nil)), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, errGet := s.Get(ctx, testdb.Results, id(1))
	_, errCount := s.Count(ctx, testdb.Results, testdb.Query{})
	_, errCampaigns := s.Campaigns(ctx, testdb.CampaignQuery{})
	_, errToken := s.HasToken(ctx, nil)
	for _, err := range []error{
		s.Insert(ctx, testdb.Results, result(2, nil)), s.Replace(ctx, testdb.Pods, "a", testdb.Document{Key: "a", Body: json.RawMessage(`{}`)}),
		s.Delete(ctx, testdb.Pods, "a"), s.AddToken(ctx, "a", nil), s.Ping(ctx), errGet, errCount, errCampaigns, errToken,
	} {
		check(t, err, context.Canceled)
	}
	for _, err := range s.Find(ctx, testdb.Results, testdb.Query{}) {
		check(t, err, context.Canceled)
	}
	n, err := s.Count(t.Context(), testdb.Results, testdb.Query{})
	check(t, err, nil)
	diff(t, "results", 1, n)
}

func testClosed(t *testing.T, dsn string) {
	s, ctx := open(t, dsn), t.Context()
	check(t, s.Insert(ctx, testdb.Results, result(1, nil)), nil)
	check(t, s.Close(), nil)
	check(t, s.Close(), nil)
	_, errGet := s.Get(ctx, testdb.Results, id(1))
	for _, err := range []error{s.Insert(ctx, testdb.Results, result(2, nil)), errGet, s.Ping(ctx)} {
		if err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("a closed store says %v", err)
		}
	}
}

func testReopened(t *testing.T, dsn string) {
	var m model
	for round := range 3 {
		s, err := sqlstore.Open(t.Context(), dsn)
		check(t, err, nil)
		m = append(m, newEntry(result(round, map[string]any{"build_tag": "t", "criteria": "PASS"})))
		check(t, s.Insert(t.Context(), testdb.Results, m[round].doc), nil)
		diff(t, "results", m.docs(), all(t, s.Find(t.Context(), testdb.Results, testdb.Query{})))
		rows, err := s.Campaigns(t.Context(), testdb.CampaignQuery{})
		check(t, err, nil)
		diff(t, "campaigns", m.campaigns(), rows)
		check(t, s.Close(), nil)
	}
}

func testOpenedAtOnce(t *testing.T, dsn string) {
	var group sync.WaitGroup
	for i := range 6 {
		group.Go(func() {
			s, err := sqlstore.Open(t.Context(), dsn)
			if err != nil {
				t.Error(err)
				return
			}
			for j := range 10 {
				check(t, s.Insert(t.Context(), testdb.Results, result(i*10+j, nil)), nil)
			}
			check(t, s.Close(), nil)
		})
	}
	group.Wait()
	n, err := open(t, dsn).Count(t.Context(), testdb.Results, testdb.Query{})
	check(t, err, nil)
	diff(t, "results", 60, n)
}

// id is the nth ObjectId.
func id(n int) string { return fmt.Sprintf("%024x", n) }

// result is the nth result with those fields.
func result(n int, fields map[string]any) testdb.Document {
	all := map[string]any{"_id": id(n)}
	for name, value := range fields {
		all[name] = value
	}
	return testdb.Document{ID: id(n), Key: id(n), Body: body(all)}
}

func body(fields map[string]any) json.RawMessage {
	b, err := json.Marshal(fields)
	if err != nil {
		return nil // an empty body is refused
	}
	return b
}

// insertAll inserts in order.
func insertAll(t testing.TB, s *sqlstore.Store, docs []testdb.Document) {
	t.Helper()
	for _, doc := range docs {
		if err := s.Insert(t.Context(), testdb.Results, doc); err != nil {
			t.Fatal(err)
		}
	}
}

func all(t testing.TB, found iter.Seq2[testdb.Document, error]) []testdb.Document {
	t.Helper()
	var docs []testdb.Document
	for doc, err := range found {
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, doc)
	}
	return docs
}

func ids(docs []testdb.Document) []string {
	var ids []string
	for _, doc := range docs {
		ids = append(ids, doc.ID)
	}
	return ids
}

func show(q testdb.Query) string {
	b, err := json.Marshal(q)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func check(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

func diff(t testing.TB, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}
