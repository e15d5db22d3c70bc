package transfer

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/anuket-project/xtci/installer/testdb"
)

const (
	// maxBSON is the size of the largest document in MongoDB, in bytes.
	maxBSON = 16 << 20
	// minBSON is that of a document that is empty: its length and its end.
	minBSON = 5
	// maxDepth is how deep documents may nest. The test DB takes 500 levels;
	// MongoDB itself stops at 100.
	maxDepth = 500
	// terminator stands in an archive where a length could.
	terminator = 0xffff_ffff
)

// errTerminator says that there was a terminator instead of a document.
var errTerminator = errors.New("a terminator stands where a document should")

// readBSON reads a document into the buffer, which it grows as needed. It
// returns io.EOF where nothing follows, and errTerminator for a terminator.
func (in *input) readBSON(buffer *[]byte) (bson.Raw, error) {
	start := in.offset
	var length [4]byte
	if err := in.readFull(length[:]); err != nil {
		if errors.Is(err, io.EOF) && in.offset == start {
			return nil, io.EOF
		}
		return nil, in.failure(err)
	}
	size := binary.LittleEndian.Uint32(length[:])
	switch {
	case size == terminator:
		return nil, errTerminator
	case size < minBSON || size > maxBSON:
		return nil, in.wrong(start, "a document of %d bytes cannot be: MongoDB has from %d to %d; the file is damaged, so copy or dump it again", size, minBSON, maxBSON)
	}
	if cap(*buffer) < int(size) {
		*buffer = make([]byte, size)
	}
	raw := bson.Raw((*buffer)[:size])
	copy(raw, length[:])
	if err := in.readFull(raw[len(length):]); err != nil {
		return nil, in.failure(err)
	}
	if raw[size-1] != 0 {
		return nil, in.wrong(start, "the document of %d bytes does not end as BSON does; the file is damaged, so copy or dump it again", size)
	}
	return raw, nil
}

// readBSONFile reads documents one after the other, as mongodump writes a
// collection into a file of its own.
func (i *importer) readBSONFile(in *input, c testdb.Collection) error {
	var buffer []byte
	for {
		start := in.offset
		raw, err := in.readBSON(&buffer)
		if errors.Is(err, io.EOF) && in.offset == start {
			return nil
		}
		if errors.Is(err, errTerminator) {
			return in.wrong(start, "%w; the file is damaged, so copy or dump it again", err)
		}
		if err != nil {
			return err
		}
		if err := i.addBSON(in, c, raw, start); err != nil {
			return err
		}
	}
}

// addBSON takes a document of MongoDB in.
func (i *importer) addBSON(in *input, c testdb.Collection, raw bson.Raw, offset int64) error {
	object, err := relaxedJSON(raw)
	if err != nil {
		return fmt.Errorf("%s: document %d of %s, at byte %d: %w", in.name, i.summary.tally(c).Read+1, c, offset, err)
	}
	return i.add(in, c, object, offset)
}

// relaxedJSON writes a document as MongoDB's relaxed extended JSON: as plain
// JSON but for types that JSON has not, such as {"$date": ...}.
func relaxedJSON(raw bson.Raw) (json.RawMessage, error) {
	if err := checkNesting(raw, maxDepth); err != nil {
		return nil, err
	}
	object, err := bson.MarshalExtJSON(raw, false, false)
	if err != nil {
		return nil, fmt.Errorf("it is not BSON: %w", err)
	}
	return object, nil
}

// checkNesting walks through a document before anything recursive does.
func checkNesting(raw []byte, levels int) error {
	if levels == 0 {
		return fmt.Errorf("it nests deeper than %d levels", maxDepth)
	}
	if len(raw) < minBSON || int64(binary.LittleEndian.Uint32(raw)) != int64(len(raw)) {
		return errors.New("it is not BSON: a document in it has a wrong length")
	}
	for rest := raw[4:]; rest[0] != 0; {
		kind, nameLength := rest[0], indexNUL(rest[1:])
		if nameLength < 0 {
			return errors.New("it is not BSON: a name in it has no end")
		}
		rest = rest[1+nameLength+1:]
		size := valueSize(kind, rest)
		if size < 0 || size >= len(rest) {
			return errors.New("it is not BSON: a value in it has a wrong type or length")
		}
		nested := rest[:size]
		if kind == typeCodeWithScope {
			nested = scopeOf(nested)
		}
		if kind == typeDocument || kind == typeArray || kind == typeCodeWithScope {
			if err := checkNesting(nested, levels-1); err != nil {
				return err
			}
		}
		rest = rest[size:]
	}
	return nil
}

// The types of values in BSON that hold documents.
const (
	typeDocument      = 0x03
	typeArray         = 0x04
	typeCodeWithScope = 0x0f
)

// valueSize is how many bytes a value has that begins there, or -1.
func valueSize(kind byte, rest []byte) int {
	switch kind {
	case 0x06, 0x0a, 0x7f, 0xff: // undefined, null, maximum, minimum
		return 0
	case 0x08: // boolean
		return 1
	case 0x10: // 32-bit integer
		return 4
	case 0x01, 0x09, 0x11, 0x12: // double, date, timestamp, 64-bit integer
		return 8
	case 0x07: // ObjectId
		return 12
	case 0x13: // 128-bit decimal
		return 16
	case typeDocument, typeArray, typeCodeWithScope:
		return lengthAt(rest)
	case 0x02, 0x0d, 0x0e: // string, code, symbol
		return after(4, lengthAt(rest))
	case 0x05: // binary, with a subtype
		return after(5, lengthAt(rest))
	case 0x0c: // reference: a string and an ObjectId
		return after(4+12, lengthAt(rest))
	case 0x0b: // regular expression: two names
		pattern := indexNUL(rest)
		if pattern < 0 {
			return -1
		}
		return after(pattern+2, indexNUL(rest[pattern+1:]))
	}
	return -1
}

// after adds what stands before a length, if there is one.
func after(head, length int) int {
	if length < 0 {
		return -1
	}
	return head + length
}

// lengthAt reads a length of at most maxBSON, or returns -1.
func lengthAt(b []byte) int {
	if len(b) < 4 {
		return -1
	}
	length := binary.LittleEndian.Uint32(b)
	if length > maxBSON {
		return -1
	}
	return int(length)
}

// scopeOf is the document in a value that has code and a document.
func scopeOf(value []byte) []byte {
	const lengths = 4 + 4
	if len(value) < lengths {
		return nil
	}
	if code := lengthAt(value[4:]); code >= 0 && lengths+code <= len(value) {
		return value[lengths+code:]
	}
	return nil
}

func indexNUL(b []byte) int {
	for i, c := range b {
		if c == 0 {
			return i
		}
	}
	return -1
}
