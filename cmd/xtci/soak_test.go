package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var soakTime = flag.Duration("soak", 3*time.Second, "how long TestSoak kills the test DB")

const (
	soakClients  = 8
	soakRequests = 100_000 // at most, in all
)

// TestSoak kills the real test DB again and again while clients post to it.
// Every result that was acknowledged is there in the end. make soak does it
// for a minute.
func TestSoak(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "xtci")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	db := filepath.Join(t.TempDir(), "results.db")
	acknowledged := map[string]bool{}
	requests, kills := 0, 0
	for end := time.Now().Add(*soakTime); time.Now().Before(end) && requests < soakRequests; kills++ {
		server, address := startServer(t, binary, db)
		prepare(t, address)
		// the kill comes when so many more were acknowledged, which differs
		// from round to round
		ids, sent := postUntil(address, 50+37*(kills%11), func() { _ = server.Process.Kill() })
		_ = server.Wait() // killed
		requests += sent
		for _, id := range ids {
			acknowledged[id] = true
		}
	}
	server, address := startServer(t, binary, db)
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	found := allIDs(t, address)
	lost := 0
	for id := range acknowledged {
		if !found[id] {
			lost++
		}
	}
	if lost > 0 || len(acknowledged) == 0 {
		t.Errorf("%d of %d acknowledged results are lost", lost, len(acknowledged))
	}
	t.Logf("%d kills, %d requests, %d acknowledged, %d stored", kills, requests, len(acknowledged), len(found))
}

func startServer(t *testing.T, binary, db string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, "serve", "testdb", "--db", db, "--listen", "127.0.0.1:0", "--with", "per-page")
	cmd.Env = append(os.Environ(), "XTCI_PROJECT=soak")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stderr).ReadString('\n')
	if err != nil {
		t.Fatalf("no address: %q %v", line, err)
	}
	return cmd, strings.TrimSpace(strings.TrimPrefix(line, "test DB: "))
}

// prepare registers what results refer to; after the first time it is there.
func prepare(t *testing.T, address string) {
	t.Helper()
	for _, step := range []struct{ path, body string }{
		{"pods", `{"name": "pod"}`}, {"projects", `{"name": "functest"}`}, {"projects/functest/cases", `{"name": "netperf"}`},
	} {
		if code, text := call(t, http.MethodPost, address+"api/v1/"+step.path, "", step.body); code != http.StatusOK && code != http.StatusForbidden {
			t.Fatalf("%s: %d %s", step.path, code, text)
		}
	}
}

// postUntil posts from several clients until so many were acknowledged, then
// calls kill, and goes on until the server is gone.
func postUntil(address string, enough int, kill func()) (ids []string, sent int) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: soakClients}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var group sync.WaitGroup
	for c := range soakClients {
		group.Go(func() {
			for n := 0; ; n++ {
				body := fmt.Sprintf(`{"pod_name": "pod", "project_name": "functest", "case_name": "netperf", "criteria": "PASS", "build_tag": "soak-%d", "details": {"n": %d}}`, c, n)
				answer, err := client.Post(address+"api/v1/results", "application/json", strings.NewReader(body))
				if err != nil {
					return // it was killed
				}
				var created struct{ Href string }
				err = json.NewDecoder(answer.Body).Decode(&created)
				answer.Body.Close()
				mu.Lock()
				sent++
				if err == nil && answer.StatusCode == http.StatusOK {
					ids = append(ids, created.Href[strings.LastIndex(created.Href, "/")+1:])
				}
				if len(ids) == enough {
					kill()
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return ids, sent
}

// allIDs reads all results, a thousand a page.
func allIDs(t *testing.T, address string) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	for page, pages := 1, 1; page <= pages; page++ {
		code, text := call(t, http.MethodGet, fmt.Sprintf("%sapi/v1/results?per_page=1000&page=%d", address, page), "", "")
		var answer struct {
			Pagination struct {
				Total int `json:"total_pages"`
			}
			Results []struct {
				ID string `json:"_id"`
			}
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || code != http.StatusOK {
			t.Fatalf("page %d: %d %v %.200s", page, code, err, text)
		}
		pages = answer.Pagination.Total
		for _, result := range answer.Results {
			ids[result.ID] = true
		}
	}
	return ids
}
