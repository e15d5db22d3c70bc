package config_test

import (
	"testing"

	"github.com/anuket-project/xtci/config"
)

// People are told of URLs of their own, and of where in the bucket campaigns
// are.
func TestPublic(t *testing.T) {
	t.Parallel()
	site := config.Default()
	public := func() (files, testDB string) {
		t.Helper()
		e, err := site.Public()
		if err != nil {
			t.Fatal(err)
		}
		return e.Files, e.TestDB
	}
	if files, testDB := public(); files != "http://127.0.0.1:8181" || testDB != "http://127.0.0.1:8000" {
		t.Errorf("%s and %s", files, testDB)
	}
	site.Stack.Minio.Folder = "lab/a"
	if files, _ := public(); files != "http://127.0.0.1:8181/lab/a" {
		t.Errorf("with a folder: %s", files)
	}
	site.Stack.Files.PublicURL, site.Stack.TestDB.PublicURL = "https://lab/s3/", "https://lab/testapi/api/v1"
	if files, testDB := public(); files != "https://lab/s3" || testDB != "https://lab/testapi" {
		t.Errorf("with URLs of their own: %s and %s", files, testDB)
	}
	for key, spoil := range map[string]func(*config.Site){
		"stack.minio.folder":      func(s *config.Site) { s.Stack.Minio.Folder = "../x" },
		"stack.files.public_url":  func(s *config.Site) { s.Stack.Files.PublicURL = "x" },
		"stack.testdb.public_url": func(s *config.Site) { s.Stack.TestDB.PublicURL = "ftp://x" },
	} {
		spoiled := config.Default()
		spoil(&spoiled)
		if _, err := config.Load(config.Options{Base: &spoiled}); err == nil {
			t.Errorf("%s: no error", key)
		}
	}
}
