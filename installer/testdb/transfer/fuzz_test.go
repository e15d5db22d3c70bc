package transfer_test

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/installer/testdb/transfer"
)

func sorted(all []string) []string { return slices.Sorted(slices.Values(all)) }

func FuzzMongoArchive(f *testing.F) {
	f.Add(history(f))
	f.Add(zip(f, history(f)))
	f.Add(newArchive(f, database, "results").
		segment(database, "results", result(1, bson.E{Key: "details", Value: bson.D{
			{Key: "code", Value: bson.CodeWithScope{Code: "x", Scope: bson.D{{Key: "a", Value: 1}}}},
			{Key: "pointer", Value: bson.DBPointer{DB: "a.b", Pointer: objectID(1)}},
			{Key: "more", Value: bson.A{bson.Regex{Pattern: "a"}, bson.Symbol("s"), bson.JavaScript("j"), bson.Timestamp{T: 1}, bson.MinKey{}, bson.Undefined{}}},
			{Key: "old", Value: bson.Binary{Subtype: 2, Data: []byte("abc")}},
		}})).end(database, "results").bytes())
	f.Add(newArchive(f, database, "results").segment(database, "results", nested(600)).bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		// Checksums are seldom right by chance, so look at documents too.
		single := newArchive(t, database, "results").segment(database, "results", bson.Raw(data)).end(database, "results")
		for _, archive := range [][]byte{data, single.bytes()} {
			importAnything(t, archive, transfer.Archive)
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"pagination": {"current_page": 1, "total_pages": 1}, "results": [` + jsonResult(2, `, "build_tag": 1.5, "details": {"a": [NaN, "\ud800"]}`) + `, ` + jsonResult(1, "") + `]}`))
	f.Add([]byte("[" + exported(2, `,"start_date":{"$date":{"$numberLong":"5"}}`) + "]"))
	f.Add(recorded(f)[:4000])
	f.Add([]byte(`{"` + strings.Repeat("[", 100)))
	f.Fuzz(func(t *testing.T, data []byte) {
		importAnything(t, data, transfer.JSON)
	})
}

// importAnything imports and, whatever comes of it, checks that the summary is
// right, that memory is bounded, and that what is stored can be exported and
// imported again.
func importAnything(t *testing.T, data []byte, format transfer.Format) {
	t.Helper()
	store := newMemoryStore()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	summary, err := transfer.Import(t.Context(), store, bytes.NewReader(data), format, transfer.Options{TempDir: t.TempDir()})
	runtime.ReadMemStats(&after)
	// A hostile length makes a buffer of 16 MiB; the rest goes with the input,
	// which gzip can have made a thousand times smaller.
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 256<<20 && grown/4000 > uint64(len(data)) {
		t.Errorf("%d bytes of memory for %d of input", grown, len(data))
	}
	for c, tally := range summary.Collections {
		stored := len(ids(t, store, c))
		if stored != tally.Imported+len(summary.Registered[c]) {
			t.Errorf("%s: %d are stored, the summary says %+v and registered %q", c, stored, *tally, summary.Registered[c])
		}
		if err == nil && tally.Imported+tally.Present != tally.Read {
			t.Errorf("%s: %+v does not add up", c, *tally)
		}
		again := newMemoryStore()
		var out bytes.Buffer
		if err := transfer.Export(t.Context(), store, &out, c, testdb.Query{}); err != nil {
			t.Fatal(err)
		}
		if _, err := transfer.Import(t.Context(), again, &out, transfer.JSON, transfer.Options{TempDir: t.TempDir()}); err != nil {
			t.Fatalf("import what was exported: %v", err)
		}
		if diff := cmp.Diff(sorted(bodies(t, store, c)), sorted(bodies(t, again, c))); diff != "" {
			t.Error(diff)
		}
	}
}
