package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/anuket-project/xtci/installer/testdb"
)

// ImportFolder imports what mongodump wrote into a folder: the folder that
// was its --out, or that of the database in it. It is Import in all else.
func ImportFolder(ctx context.Context, store testdb.Store, folder string, o Options) (Summary, error) {
	if o.Name == "" {
		o.Name = folder
	}
	o = o.withDefaults()
	return run(ctx, store, o, func(i *importer) error { return i.readFolder(ctx, folder) })
}

func (i *importer) readFolder(ctx context.Context, folder string) error {
	folder, err := databaseFolder(folder, i.options.Database)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("read the dump: %w", err)
	}
	known := false
	for _, entry := range entries {
		name, ok := strings.CutSuffix(strings.TrimSuffix(entry.Name(), ".gz"), ".bson")
		if !ok || !entry.Type().IsRegular() {
			continue // the *.metadata.json beside them say nothing of documents
		}
		c := testdb.Collection(name)
		if !isCollection(c) {
			i.summary.Skipped = append(i.summary.Skipped, i.options.Database+"."+name)
			continue
		}
		known = true
		if err := i.readFile(ctx, filepath.Join(folder, entry.Name()), c); err != nil {
			return err
		}
	}
	if !known {
		return fmt.Errorf("%s has no collection of the test DB, such as results.bson or results.bson.gz: give the folder that mongodump wrote", folder)
	}
	return nil
}

// databaseFolder finds the folder of the database: in a dump, or itself.
func databaseFolder(folder, database string) (string, error) {
	inside := filepath.Join(folder, database)
	info, err := os.Stat(inside)
	switch {
	case err == nil && info.IsDir():
		return inside, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("read the dump: %w", err)
	}
	return folder, nil
}

func (i *importer) readFile(ctx context.Context, file string, c testdb.Collection) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("read the dump: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in, err := open(ctx, f, file)
	if err != nil {
		return err
	}
	i.summary.tally(c)
	return i.readBSONFile(in, c)
}
