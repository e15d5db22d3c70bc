package jenkins_test

import (
	"fmt"
	"testing"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/jenkins"
	"github.com/anuket-project/xtci/jenkins/jenkinstest"
	"github.com/anuket-project/xtci/testcases"
)

// benchCampaign is what the default site wants: 36 jobs and a view.
func benchCampaign(b *testing.B) jenkins.Wanted {
	b.Helper()
	site := config.Default()
	catalog, err := testcases.Load(site.Release)
	if err != nil {
		b.Fatal(err)
	}
	var graphs []jenkins.Graph
	for _, plan := range testcases.Plans(site, catalog, testcases.ScopeAll) {
		g, err := jenkins.NewGraph(plan, jenkins.Options{Owner: "bench", Network: "bench", Workspace: "/w", Archive: jenkins.Archive{Image: "xtci:bench"}, StopOnFailure: true, Services: jenkins.Services{S3: "http://minio:9000", Bucket: "s3://xtesting", Files: "http://files", TestDB: "http://testdb/api/v1"}, Jobs: site.Jobs})
		if err != nil {
			b.Fatal(err)
		}
		graphs = append(graphs, g)
	}
	g, err := jenkins.Merge(graphs...)
	if err != nil {
		b.Fatal(err)
	}
	want, err := jenkins.NewWanted(g, site.Project)
	if err != nil {
		b.Fatal(err)
	}
	if len(want.Jobs) != 36 || len(want.Views) != 1 {
		b.Fatalf("%d jobs and %d views", len(want.Jobs), len(want.Views))
	}
	return want
}

// benchBig is a big site: 571 jobs and a view.
func benchBig(b *testing.B) jenkins.Wanted {
	b.Helper()
	small := benchCampaign(b)
	want := jenkins.Wanted{Projects: small.Projects, Views: small.Views}
	for i := range 571 {
		d := small.Jobs[i%len(small.Jobs)]
		want.Jobs = append(want.Jobs, jenkins.Document{Name: fmt.Sprintf("%s-%d", d.Name, i), XML: d.XML})
	}
	return want
}

// benchApply measures a whole apply, from a new client on: login, crumb, all
// requests. Empty is a Jenkins without jobs, and otherwise it has them.
func benchApply(b *testing.B, want jenkins.Wanted, empty bool) {
	b.Helper()
	for b.Loop() {
		b.StopTimer()
		s, err := jenkinstest.Start(jenkinstest.Options{Home: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		apply := func() {
			c, err := jenkins.New(jenkins.ClientOptions{URL: s.URL, User: "admin", Password: "admin"})
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Check(b.Context(), jenkins.Requirements{MultiJobs: true, Plugins: []jenkins.Requirement{{Plugin: jenkinstest.MultiJob}}}); err != nil {
				b.Fatal(err)
			}
			if _, err := c.Apply(b.Context(), want, jenkins.ApplyOptions{}); err != nil {
				b.Fatal(err)
			}
		}
		if !empty {
			apply()
		}
		s.Requests()
		b.StartTimer()
		apply()
		b.StopTimer()
		b.ReportMetric(float64(len(s.Requests())), "requests")
		s.Close()
		b.StartTimer()
	}
}

// BenchmarkApply is a campaign in a new Jenkins.
func BenchmarkApply(b *testing.B) { benchApply(b, benchCampaign(b), true) }

// BenchmarkApplyUnchanged is the same again: nothing is written.
func BenchmarkApplyUnchanged(b *testing.B) { benchApply(b, benchCampaign(b), false) }

// BenchmarkApplyBig is a big site in a new Jenkins.
func BenchmarkApplyBig(b *testing.B) { benchApply(b, benchBig(b), true) }

// BenchmarkApplyBigUnchanged is the same again.
func BenchmarkApplyBigUnchanged(b *testing.B) { benchApply(b, benchBig(b), false) }
