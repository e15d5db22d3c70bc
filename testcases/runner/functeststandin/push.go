package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxAnswer is how much of an answer is read.
const maxAnswer = 64 << 20

// versionOf finds a version in a build tag.
var versionOf = regexp.MustCompile(`(dai|week)ly-(.+?)-[0-9]*`)

// pushToDB posts the record of a case (spec/testapi-xtesting.md, b.5).
func (r *runTests) pushToDB(one *attempt) {
	log := func(format string, args ...any) { r.logs.log(loggerTestcase, "ERROR", format, args...) }
	if !one.measured() {
		log("Please run test before publishing the results%s", traceback("AssertionError"))
		return
	}
	target, given := r.env["TEST_DB_URL"]
	if !given { // Xtesting would push to the public database
		log("The results cannot be pushed to DB%s", traceback("requests.exceptions.ConnectionError: a stand-in pushes nothing to "+r.env.get("TEST_DB_URL")))
		return
	}
	if r.orders.told("NOPUSH", one.of.Name) {
		log("The results cannot be pushed to DB%s", traceback("requests.exceptions.ConnectionError: told to by the stand-in"))
		return
	}
	body := r.record(one)
	if place, ok := strings.CutPrefix(target, "file://"); ok {
		if err := r.dump(target, place, body); err != nil {
			log("The results cannot be pushed to DB%s", traceback(pythonError(err)))
		}
		return
	}
	answer, err := exchange(http.MethodPost, target, body)
	switch {
	case err != nil:
		log("The results cannot be pushed to DB%s", traceback(connectionError(target, err)))
		return
	case answer.code >= 400:
		log("The HTTP request raises issues%s", traceback(statusError(target, answer)))
		return
	}
	var created struct {
		Href string `json:"href"`
	}
	if err := json.Unmarshal(answer.body, &created); err != nil || created.Href == "" {
		log("The results cannot be pushed to DB%s", traceback("KeyError: 'href'"))
		return
	}
	link := r.env.get("TEST_DB_EXT_URL")
	if link == "" {
		link = target
	}
	r.logs.log(loggerTestcase, "INFO", "The results were successfully pushed to DB: \n\n%s\n", join(link, resultID.ReplaceAllString(created.Href, "")))
}

var resultID = regexp.MustCompile(`^.*/api/v1/results/*`)

// join is Python's os.path.join.
func join(base, name string) string {
	if base == "" || strings.HasSuffix(base, "/") {
		return base + name
	}
	return base + "/" + name
}

// record is the body that is posted.
func (r *runTests) record(one *attempt) string {
	const date = "2006-01-02 15:04:05"
	version := any("unknown")
	if found := versionOf.FindStringSubmatch(r.env.get("BUILD_TAG")); found != nil {
		version = found[2]
	}
	record := map[string]any{
		"build_tag": r.env.orNull("BUILD_TAG"), "case_name": one.of.Name, "criteria": string(one.status), "details": plain(one.details),
		"installer": r.env.orNull("INSTALLER_TYPE"), "pod_name": r.env.orNull("NODE_NAME"), "project_name": one.of.Project,
		"scenario": r.env.orNull("DEPLOY_SCENARIO"), "start_date": one.start.Format(date), "stop_date": one.stop.Format(date), "version": version,
	}
	kind, bad := r.orders["BADRECORD"].of(one.of.Name)
	if !bad {
		return pythonJSON(record)
	}
	switch kind {
	case "criteria":
		record["criteria"] = "PERHAPS"
	case "case":
		record["case_name"] = r.another(one.of.Name)
	case "json":
		body := pythonJSON(record)
		return body[:len(body)/2]
	default:
		record["criteria"] = string(map[status]status{statusPass: statusFail, statusFail: statusPass}[one.status])
	}
	return pythonJSON(record)
}

// another is the name of another case of the container.
func (r *runTests) another(than string) string {
	for _, t := range r.tiers {
		for _, c := range t.cases {
			if c.Name != than {
				return c.Name
			}
		}
	}
	return than
}

// plain turns the links, which are texts, into what JSON knows.
func plain(details map[string]any) map[string]any {
	copied := maps.Clone(details)
	if links, ok := details["links"].([]string); ok {
		list := make([]any, 0, len(links))
		for _, link := range links {
			list = append(list, link)
		}
		copied["links"] = list
	}
	return copied
}

// dump appends the request to a file, as a file:// URL asks for.
func (r *runTests) dump(target, place, body string) error {
	place = r.at(place)
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(place, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = fmt.Fprintf(file, "POST %s\nUser-Agent %s\nAccept */*\nContent-Type application/json\nContent-Length %d\n\n%s\n\n\n", target, userAgent, len(body), body)
	return err
}

const userAgent = "functest-standin"

// A reply is an answer that was read.
type reply struct {
	code   int
	status string // code and reason
	header http.Header
	body   []byte
}

// read reads an answer, and closes it.
func read(answer *http.Response) (reply, error) {
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	return reply{answer.StatusCode, answer.Status, answer.Header, body}, err
}

// exchange sends JSON. As the containers it waits for ever.
func exchange(method, target, body string) (reply, error) {
	request, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "*/*")
	request.Header.Set("User-Agent", userAgent)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return reply{}, err
	}
	return read(answer)
}

// statusError is what Python's requests says of a bad status.
func statusError(target string, answer reply) string {
	side, reason := "Client", strings.TrimSpace(strings.TrimPrefix(answer.status, strconv.Itoa(answer.code)))
	if answer.code >= 500 {
		side = "Server"
	}
	return fmt.Sprintf("requests.exceptions.HTTPError: %d %s Error: %s for url: %s", answer.code, side, reason, target)
}

func connectionError(target string, err error) string {
	host, at := target, ""
	if u, parseErr := url.Parse(target); parseErr == nil {
		host, at = u.Host, u.RequestURI()
	}
	return fmt.Sprintf("requests.exceptions.ConnectionError: HTTPConnectionPool(host='%s'): Max retries exceeded with url: %s (Caused by %v)", host, at, err)
}

// publish uploads the logs, and the files of a case
// (spec/testapi-xtesting.md, b.5).
func (r *runTests) publish(one *attempt) {
	if r.orders.told("NOUPLOAD", one.of.Name) {
		r.logs.log(loggerTestcase, "ERROR", "Cannot publish the artifacts%s", traceback("botocore.exceptions.EndpointConnectionError: told to by the stand-in"))
		return
	}
	if err := r.upload(one); err != nil {
		r.logs.log(loggerTestcase, "ERROR", "%s", publishError(err))
		return
	}
	links, _ := one.details["links"].([]string)
	r.logs.log(loggerTestcase, "INFO", "All artifacts were successfully published: \n\n%s\n", strings.Join(links, "\n"))
}

// upload uploads, and keeps the links of what it uploaded.
func (r *runTests) upload(one *attempt) error {
	bucket, err := r.openBucket()
	if err != nil {
		return err
	}
	if err := bucket.ensure(); err != nil {
		return err
	}
	base, ok := r.env["HTTP_DST_URL"]
	if !ok {
		return unsetError("HTTP_DST_URL")
	}
	links := []string{}
	one.details["links"] = links
	var names []string
	for _, name := range []string{logName, debugLogName} {
		if exists(r.results(name)) {
			names = append(names, name)
		}
	}
	inside, err := walk(r.results(), one.of.Name)
	if err != nil {
		return err
	}
	for _, name := range slices.Concat(names, inside) {
		if err := bucket.upload(name, r.results(name)); err != nil {
			return err
		}
		links = append(links, join(base, name))
		one.details["links"] = links
	}
	return nil
}

// walk lists the files below a folder in the order of Python's os.walk: those
// of a folder before those of its folders, in the order of the disk.
func walk(root, folder string) (files []string, err error) {
	dir, err := os.Open(filepath.Join(root, folder))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := dir.ReadDir(-1)
	_ = dir.Close()
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			files = append(files, path.Join(folder, entry.Name()))
		}
	}
	for _, entry := range entries {
		if entry.IsDir() {
			inside, err := walk(root, path.Join(folder, entry.Name()))
			if err != nil {
				return nil, err
			}
			files = append(files, inside...)
		}
	}
	return files, nil
}
