package fetch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	getter "github.com/hashicorp/go-getter/v2"
)

// got is what a download came to.
type got struct {
	file   string // in the folder, with slashes
	commit string
	links  []string
}

// download gets a source into a folder that is not there yet. Each call has a
// client of its own, which knows one getter and unpacks nothing.
func (c *Cache) download(ctx context.Context, s Source, w Want, dir string) (got, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return got{}, err
	}
	file := filepath.Join(dir, s.base())
	request := &getter.Request{Src: s.prefix() + s.address.String(), Dst: file, GetMode: getter.ModeFile, DisableSymlinks: true}
	var get getter.Getter
	result := got{file: s.base()}
	switch s.kind {
	case kindGit:
		request.Src, request.Dst, request.GetMode = s.prefix()+s.repository(), dir, getter.ModeDir
		get = &gitGetter{source: s, want: w, environ: c.Environ, got: &result}
	case kindS3:
		get = &s3Getter{source: s, client: c.client(w.MaxBytes), most: w.MaxBytes, environ: c.Environ}
	default:
		client := c.client(w.MaxBytes)
		client.Transport = statuses{client.Transport}
		get = &getter.HttpGetter{Client: client, DoNotCheckHeadFirst: true, XTerraformGetDisabled: true}
	}
	client := getter.Client{Getters: []getter.Getter{get}, Decompressors: map[string]getter.Decompressor{}, DisableSymlinks: true}
	if _, err := client.Get(ctx, request); err != nil {
		return got{}, err
	}
	if s.kind != kindGit {
		return result, os.Chmod(file, 0o600)
	}
	return result, nil
}

// refuseWebPage refuses HTML under another name: what a server shows to who
// should log in, or has around the file.
func refuseWebPage(file string) error {
	if ending := strings.ToLower(filepath.Ext(file)); ending == ".html" || ending == ".htm" {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	start, err := io.ReadAll(io.LimitReader(f, 512))
	if err != nil {
		return err
	}
	if strings.HasPrefix(http.DetectContentType(bytes.TrimSpace(start)), "text/html") {
		return unfitf("what came is a web page: take the address of the file itself (raw), and log in if it needs that")
	}
	return nil
}

// writeLimited writes one file, of no more than so many bytes.
func writeLimited(file string, from io.Reader, most int64) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.Copy(f, io.LimitReader(from, most+1))
	if err != nil {
		return err
	}
	if n > most {
		return tooLarge(most)
	}
	return f.Close()
}

func tooLarge(most int64) error { return unfitf("it is larger than %s", size(most)) }

func size(n int64) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}
