package main

import (
	"archive/zip"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// zipCampaign is the program zip_campaign (spec/testapi-xtesting.md, c). Its
// status is always 0.
func (a *app) zipCampaign() int {
	if err := os.MkdirAll(a.results(), 0o755); err == nil {
		err = a.openLogs(logName, debugLogName)
		if err != nil {
			a.logs = nil
		}
	}
	if a.logs == nil {
		return exitRunError
	}
	defer a.logs.close()
	link, err := a.zip()
	if err != nil {
		a.logs.log(loggerCampaign, "ERROR", "%s", publishError(err))
		return exitOK
	}
	a.logs.log(loggerCampaign, "INFO", "All data were successfully published:\n\n%s", link)
	return exitOK
}

// errAssertion is an assertion of Xtesting's that does not hold.
var errAssertion = errors.New("AssertionError")

// zip makes the campaign's zip in the current folder and uploads it.
func (a *app) zip() (link string, err error) {
	tag := a.env.get("BUILD_TAG")
	if err := a.dumpDB(tag); err != nil {
		a.logs.log(loggerCampaign, "ERROR", "The results cannot be collected from DB%s", traceback(err.Error()))
		return "", errAssertion
	}
	bucket, err := a.openBucket()
	if err == nil {
		err = a.dumpArtifacts(bucket, tag)
	}
	if err != nil {
		a.logs.log(loggerCampaign, "ERROR", "Cannot publish the artifacts%s", traceback(pythonError(err)))
		return "", errAssertion
	}
	if err := a.pack(tag); err != nil {
		return "", err
	}
	if err := bucket.upload(tag+".zip", a.work(tag+".zip")); err != nil {
		return "", err
	}
	base, ok := a.env["HTTP_DST_URL"]
	if !ok {
		return "", unsetError("HTTP_DST_URL")
	}
	return join(base, tag+".zip"), nil
}

// work is a file in the folder that the container works in, which is /.
func (a *app) work(name string) string { return a.at("/" + name) }

// dumpDB keeps one page of the campaign's results. One result without links is
// enough to fail.
func (a *app) dumpDB(tag string) error {
	target := a.env.get("TEST_DB_URL") + "?build_tag=" + tag
	answer, err := exchange(http.MethodGet, target, "")
	if err != nil {
		return errors.New(connectionError(target, err))
	}
	if answer.code >= 400 {
		return errors.New(statusError(target, answer))
	}
	var page struct {
		Results []struct {
			Details map[string]json.RawMessage `json:"details"`
		} `json:"results"`
	}
	if err := json.Unmarshal(answer.body, &page); err != nil {
		return fmt.Errorf("json.decoder.JSONDecodeError: %w", err)
	}
	for _, result := range page.Results {
		if _, ok := result.Details["links"]; !ok {
			return errors.New("KeyError: 'links'")
		}
		if _, ok := a.env["HTTP_DST_URL"]; !ok {
			return errors.New("KeyError: 'HTTP_DST_URL'")
		}
	}
	return os.WriteFile(a.work(tag+".json"), answer.body, 0o644)
}

// dumpArtifacts downloads the campaign's files.
func (a *app) dumpArtifacts(b *bucket, tag string) error {
	keys, err := b.list(strings.TrimPrefix(b.prefix+"/"+tag+"/", "/"))
	if err != nil {
		return err
	}
	for _, key := range keys {
		name := strings.TrimLeft(strings.TrimPrefix(key, b.prefix), "/")
		if !filepath.IsLocal(name) {
			return fmt.Errorf("the key %q leads out of the folder", key)
		}
		if err := a.fetch(b, key, a.work(name)); err != nil {
			return err
		}
		a.logs.log(loggerCampaign, "INFO", "Downloading %s", name)
	}
	return nil
}

func (a *app) fetch(b *bucket, key, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	return errors.Join(b.download(key, file), file.Close())
}

// pack packs what was downloaded, the index first.
func (a *app) pack(tag string) error {
	files, err := walk(a.work(""), tag)
	if err != nil {
		return err
	}
	out, err := os.Create(a.work(tag + ".zip"))
	if err != nil {
		return err
	}
	archive := zip.NewWriter(out)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.DefaultCompression)
	})
	for _, name := range append([]string{tag + ".json"}, files...) {
		if err := a.packFile(archive, path.Clean(name)); err != nil {
			return errors.Join(err, out.Close())
		}
	}
	return errors.Join(archive.Close(), out.Close())
}

func (a *app) packFile(archive *zip.Writer, name string) error {
	file, err := os.Open(a.work(name))
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header, err := zip.FileInfoHeader(info)
	if err != nil {
		return err
	}
	header.Name, header.Method = name, zip.Deflate
	entry, err := archive.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.Copy(entry, file)
	return err
}
