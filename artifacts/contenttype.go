package artifacts

import (
	"path"
	"strings"
)

// ContentType is the media type of a file by the extension of its name. The
// table is our own: Go's depends on files of the system, and libraries call a
// .log text/x-log, which browsers save instead of showing it.
func ContentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".log", ".txt", ".out", ".err", ".md", ".rst", ".tsv", ".yaml", ".yml", ".conf", ".cfg", ".ini", ".env", ".sh", ".py":
		return "text/plain; charset=utf-8"
	case ".html", ".htm":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".csv":
		return "text/csv; charset=utf-8"
	case ".xml":
		return "text/xml; charset=utf-8"
	case ".json":
		return "application/json"
	case ".pdf":
		return "application/pdf"
	case ".zip":
		return "application/zip"
	case ".gz", ".tgz":
		return "application/gzip"
	case ".tar":
		return "application/x-tar"
	case ".xz":
		return "application/x-xz"
	case ".bz2":
		return "application/x-bzip2"
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".gif":
		return "image/gif"
	case ".svg":
		return "image/svg+xml"
	case ".webp":
		return "image/webp"
	case ".ico":
		return "image/x-icon"
	}
	return "application/octet-stream"
}
