package web

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/testcases"
)

// hostile is text that must neither run nor hide: markup, the ends of what a
// page could put it in, and characters nobody sees.
const hostile = `<script>window.ran=1</script><img src=x onerror=window.ran=1>]]>--></style></pre>"'` + "\u202egnp.exe\u200b\x07\x1b[31m"

// A posted is a result as a test pushes it.
type posted map[string]any

// push stores results under ids that rise, each with all fields.
func (s *memStore) push(t testing.TB, results ...posted) (ids []string) {
	t.Helper()
	for _, result := range results {
		id := fmt.Sprintf("6b04%020x", len(s.documents[testdb.Results])+1)
		body := posted{"_id": id, "project_name": "functest", "pod_name": "functest-kubernetes", "criteria": "PASS", "details": nil}
		for _, name := range []string{"build_tag", "version", "installer", "scenario", "start_date", "stop_date"} {
			body[name] = nil
		}
		for name, value := range result {
			body[name] = value
		}
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Insert(context.Background(), testdb.Results, testdb.Document{ID: id, Key: id, Body: raw}); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func catalog(t testing.TB) *testcases.Catalog {
	t.Helper()
	c, err := testcases.Load(defaultRelease)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// campaign is all cases of RC2, one after the other, but for those that
// change says otherwise of: it returns nil to leave a case out.
func campaign(t testing.TB, tag string, day int, change func(name string, result posted) posted) []posted {
	t.Helper()
	start := time.Date(2026, 11, day, 18, 3, 27, 0, time.UTC)
	var all []posted
	for i, of := range catalog(t).Cases {
		if !of.Default {
			continue
		}
		stop := start.Add(time.Duration(i*97+40) * time.Second)
		result := posted{
			"build_tag": tag, "case_name": of.Name, "installer": "unknown", "scenario": "k8-nosdn-nofeature-noha", "version": "unknown",
			"start_date": start.Format(recordTime), "stop_date": stop.Format(recordTime),
			"details": posted{"links": []string{"http://192.0.2.10:8181/" + tag + "/functest-kubernetes-" + of.Name + "-run-1/functest-kubernetes.log"}},
		}
		start = stop.Add(2 * time.Second)
		if change != nil {
			result = change(of.Name, result)
		}
		if result != nil {
			all = append(all, result)
		}
	}
	return all
}

// sample is a store with a campaign of each kind, and with hostile text
// wherever a client can put it.
func sample(t testing.TB) *memStore {
	t.Helper()
	s := newMemStore()
	s.push(t, campaign(t, "G2K7M0Q4ZX1P", 20, nil)...)
	s.push(t, campaign(t, "daily-v1.23-functest-12", 21, func(name string, result posted) posted {
		if name == "sig_network" {
			result["criteria"] = "FAIL"
			result["details"] = posted{
				"passed": 206, "failed": 1, "pending": 0, "skipped": 6838, "text": "caf\u00e9 <b>&amp;</b>\nline",
				"links": []string{
					"http://192.0.2.10:8181/daily-v1.23-functest-12/functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_network-7/functest-kubernetes.log",
					"http://192.0.2.10:8181/daily-v1.23-functest-12/functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_network-7/sig_network/e2e.log",
					"daily-v1.23-functest-12/sig_network/junit 01.xml", "javascript:alert(1)",
				},
			}
		}
		return result
	})...)
	s.push(t, posted{"build_tag": "daily-v1.23-functest-12", "case_name": "sig_auth", "criteria": "fail", "start_date": "2026-11-22 01:00:00", "stop_date": "2026-11-22 01:07:30"})
	s.push(t, campaign(t, "running", 23, func(name string, result posted) posted {
		if name == "k8s_vims" || name == "helm_vims" || name == "netperf" {
			return nil
		}
		return result
	})...)
	s.push(t, posted{"case_name": "no_campaign", "build_tag": nil, "start_date": "2026-11-23 12:00:00"})
	s.push(t, posted{
		"build_tag": hostile, "case_name": hostile, "pod_name": hostile, "project_name": hostile, "installer": hostile, "scenario": hostile,
		"version": posted{"<b>": 1}, "criteria": hostile, "start_date": hostile, "stop_date": hostile,
		"details": posted{hostile: hostile, "links": []any{"javascript:window.ran=1", " javascript:window.ran=1", `http://example.org/"onclick="window.ran=1`, "data:text/html,<script>", `\\example.org`, "//example.org", hostile, 7}},
	})
	s.push(t, posted{"build_tag": "../../a b%2F?#" + strings.Repeat("long", 100), "case_name": strings.Repeat("very_long_", 60), "pod_name": strings.Repeat("p", 800)})
	return s
}

// hostileID is the id of the hostile result of the sample.
func hostileID(t testing.TB, s *memStore) string {
	t.Helper()
	for _, d := range s.documents[testdb.Results] {
		if s.fields[d.Key]["case_name"] == hostile {
			return d.ID
		}
	}
	t.Fatal("the sample has no hostile result")
	return ""
}
