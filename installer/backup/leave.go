package backup

import (
	"path"
	"strings"
)

// What is done with a name under the prefix.
type handling int

const (
	keep  handling = iota
	empty          // a folder whose content is left out
	leave          // is left out
)

// handle says what is done with a name. What can be made again is left out
// (docs/backup.md lists it).
func handle(name string) handling {
	top, rest, _ := strings.Cut(name, "/")
	base := path.Base(name)
	switch top {
	case "etc": // made by xtci up, from the site and secrets.yaml
		return leave
	case "campaigns":
		return leaveIf(strings.HasSuffix(base, ".lock") || strings.HasPrefix(base, ".journal-"))
	case "keys":
		return leaveIf(strings.HasPrefix(base, ".key-"))
	case "testdb":
		// the log belongs to the file, of which SQLite makes a copy with all
		// that is in it
		return leaveIf(strings.HasPrefix(rest, database+"-") || strings.HasPrefix(rest, database+".new-") || strings.Contains(rest, ".part-"))
	case "jenkins":
		return emptyIf(rest == "workspace" || rest == "caches" || rest == "war" || rest == ".cache")
	case "minio":
		return emptyIf(rest == ".minio.sys/tmp" || rest == ".minio.sys/multipart")
	case "mongo":
		return leaveIf(rest == "mongod.lock" || strings.HasPrefix(rest, "diagnostic.data/"))
	case "registry":
		return emptyIf(base == "_uploads")
	}
	return keep
}

func leaveIf(yes bool) handling {
	if yes {
		return leave
	}
	return keep
}

func emptyIf(yes bool) handling {
	if yes {
		return empty
	}
	return keep
}

// database is the test DB's file, in its folder.
const database = "results.db"
