package transfer_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash"
	"hash/crc64"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// An archiveWriter writes what mongodump --archive writes, by the
// specification of the format (mongo-tools, common/archive/spec.md). It is for
// tests alone, and can be made to write what is wrong.
type archiveWriter struct {
	t   testing.TB
	out bytes.Buffer
	// sums are the checksums of the collections so far.
	sums map[string]hash.Hash64
}

// newArchive begins an archive of those collections of a database.
func newArchive(t testing.TB, database string, collections ...string) *archiveWriter {
	t.Helper()
	a := &archiveWriter{t: t, sums: map[string]hash.Hash64{}}
	a.out.WriteString("\x6d\xe2\x99\x81")
	a.document(bson.D{
		{Key: "concurrent_collections", Value: int32(4)},
		{Key: "version", Value: "0.1"},
		{Key: "server_version", Value: "8.0.6"},
		{Key: "tool_version", Value: "100.12.0"},
	})
	for _, collection := range collections {
		a.document(bson.D{
			{Key: "db", Value: database},
			{Key: "collection", Value: collection},
			{Key: "metadata", Value: `{"indexes":[{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"}]}`},
			{Key: "size", Value: int32(0)},
			{Key: "type", Value: ""},
		})
	}
	a.terminator()
	return a
}

// segment writes documents of a collection.
func (a *archiveWriter) segment(database, collection string, documents ...any) *archiveWriter {
	a.t.Helper()
	a.header(database, collection, false, 0)
	for _, d := range documents {
		raw := a.document(d)
		_, _ = a.sum(database, collection).Write(raw)
	}
	a.terminator()
	return a
}

// end writes the end of a collection, with the checksum of its documents.
func (a *archiveWriter) end(database, collection string) *archiveWriter {
	a.t.Helper()
	return a.endWith(database, collection, a.sum(database, collection).Sum64())
}

func (a *archiveWriter) endWith(database, collection string, sum uint64) *archiveWriter {
	a.t.Helper()
	a.header(database, collection, true, sum)
	a.terminator()
	return a
}

func (a *archiveWriter) sum(database, collection string) hash.Hash64 {
	name := database + "." + collection
	if a.sums[name] == nil {
		a.sums[name] = crc64.New(crc64.MakeTable(crc64.ECMA))
	}
	return a.sums[name]
}

func (a *archiveWriter) header(database, collection string, end bool, sum uint64) {
	a.t.Helper()
	a.document(bson.D{
		{Key: "db", Value: database},
		{Key: "collection", Value: collection},
		{Key: "EOF", Value: end},
		{Key: "CRC", Value: int64(sum)},
	})
}

func (a *archiveWriter) document(d any) bson.Raw {
	a.t.Helper()
	raw := marshal(a.t, d)
	a.out.Write(raw)
	return raw
}

func (a *archiveWriter) terminator() {
	a.out.Write(binary.LittleEndian.AppendUint32(nil, 0xffffffff))
}

func (a *archiveWriter) bytes() []byte { return bytes.Clone(a.out.Bytes()) }

// marshal writes a document as BSON; raw ones stay as they are.
func marshal(t testing.TB, d any) bson.Raw {
	t.Helper()
	if raw, ok := d.(bson.Raw); ok {
		return raw
	}
	raw, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// zip compresses as mongodump --gzip does.
func zip(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
