package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// Taken says what there is of a build tag already, or "". A campaign that
// begins under that tag would be judged together with it.
func Taken(ctx context.Context, store Store, records Records, tag string) (what string, err error) {
	for _, name := range []string{IndexName(tag), ArchiveName(tag)} {
		file, err := store.Open(ctx, name)
		if err == nil {
			return name, file.Close()
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	entries, _, err := store.List(ctx, tag, "", 1)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if len(entries) > 0 {
		return tag + "/" + entries[0].Name, nil
	}
	for record, err := range records.Results(ctx, tag) {
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("a record of %q in the test DB", record.CaseName), nil
	}
	return "", nil
}
