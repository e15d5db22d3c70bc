package artifacts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/anuket-project/xtci/testcases"
)

const maxProvenance = 1 << 20

// readProvenance takes over what an archive says of where it comes from. A
// classic zip says nothing.
func (c *Campaign) readProvenance() error {
	file, err := c.files.Open(Provenance)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", Provenance, err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxProvenance))
	if err != nil {
		return fmt.Errorf("read %s: %w", Provenance, err)
	}
	if err := json.Unmarshal(raw, &c.Declared); err != nil {
		return fmt.Errorf("%s: %w", Provenance, jsonPlace(raw, err))
	}
	return nil
}

// ProvenanceDocument is the file that says where a campaign comes from.
func ProvenanceDocument(p testcases.Provenance) Document {
	return Document{Name: Provenance, Write: func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", " ")
		return encoder.Encode(p)
	}}
}
