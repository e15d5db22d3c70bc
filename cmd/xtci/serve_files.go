package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/artifacts/fileserver"
)

type serveFilesOptions struct {
	listen      string
	dir         string
	endpoint    string
	bucket      string
	credentials string
}

func newServeFilesCmd(a *app) *cobra.Command {
	var o serveFilesOptions
	cmd := &cobra.Command{
		Use:   "files",
		Short: "Serve the files of campaigns over HTTP",
		Long: `files shows what campaigns stored: a bucket of MinIO, or a folder. The path of an
address is the key of a file, as with s3www; folders are listed, for people and,
as JSON, for programs; /BUILD_TAG.zip/report.html is the report in an archive.

The key for the bucket stands in a file, in the form of ~/.aws/credentials,
section [default]; without one, only what everybody may read is served. Whoever
reaches the address can read all files.

` + exitStatus,
		Example: `  xtci serve files
  xtci serve files --dir lab/artifacts --listen 127.0.0.1:8181
  xtci serve files --endpoint http://minio:9000 --bucket xtesting --credentials /etc/xtci/credentials --listen :8181`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runServeFiles(cmd.Context(), a, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8181", "the `ADDRESS` to listen on")
	flags.StringVar(&o.dir, "dir", "", "the `DIR` to serve (default: artifacts under stack.prefix)")
	flags.StringVar(&o.endpoint, "endpoint", "", "the object store to serve a bucket of: a `URL` such as http://minio:9000")
	flags.StringVar(&o.bucket, "bucket", "", "the `NAME` of the bucket (default: stack.minio.bucket)")
	flags.StringVar(&o.credentials, "credentials", "", "the `FILE` with the key for the bucket")
	return cmd
}

func runServeFiles(ctx context.Context, a *app, o serveFilesOptions) (err error) {
	store, err := a.openFiles(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := store.Ping(ctx); err != nil {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		// the store may come up later, and /healthz says when
		a.log.Warn("the store cannot be read yet", "error", err)
	}
	server, err := fileserver.New(store, fileserver.Options{Logger: a.log})
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", o.listen, err)
	}
	fmt.Fprintf(a.err, "files: http://%s/\n", listener.Addr())
	return server.Serve(ctx, listener)
}

// servedStore is a store that can be served, and closed after.
type servedStore interface {
	fileserver.Store
	Close() error
}

// openFiles opens the bucket or the folder that the flags name.
func (a *app) openFiles(o serveFilesOptions) (servedStore, error) {
	switch {
	case o.endpoint != "" && o.dir != "":
		return nil, usage(errors.New("--dir and --endpoint: name one of them"))
	case o.endpoint == "" && (o.bucket != "" || o.credentials != ""):
		return nil, usage(errors.New("--bucket and --credentials go with --endpoint: name the object store, too"))
	}
	if o.dir != "" {
		return artifacts.OpenDirStore(o.dir)
	}
	site, err := a.site()
	if err != nil {
		return nil, err
	}
	if o.endpoint == "" {
		return artifacts.OpenDirStore(site.Artifacts())
	}
	options := artifacts.S3Options{Endpoint: o.endpoint, Bucket: o.bucket}
	if options.Bucket == "" {
		options.Bucket = site.Stack.Minio.Bucket
	}
	if o.credentials != "" {
		if options.Credentials, err = artifacts.ReadCredentials(o.credentials, ""); err != nil {
			return nil, usage(err)
		}
	}
	store, err := artifacts.OpenS3Store(options)
	return store, usage(err)
}
