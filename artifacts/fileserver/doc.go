// Package fileserver shows the files of a store over HTTP: the path of a URL
// is the key of a file. It has listings of folders for people and programs,
// and opens files inside of archives, such as the report.
//
// What it shows came from tests, of which anybody may have written a part: no
// file is let run a script in the server's origin, and no name is shown that
// is not escaped. It only reads.
package fileserver
