package report

import (
	"fmt"
	"math"

	"github.com/anuket-project/xtci/testcases"
)

// hostile is text that must neither run nor hide: markup, the ends of the
// sections that a report could put it in, and characters nobody sees.
const hostile = `<script>window.ran=1</script><img src=x onerror=window.ran=1>]]>--></style></pre>"'` + "\u202egnp.exe\u200b\x00\x07\x1b[31m"

const rc2 = "https://cntt.readthedocs.io/projects/rc2/en/stable-moselle/chapters/chapter02.html"

// sampleCatalog has one case of each driver, and what there is to trace.
func sampleCatalog() *testcases.Catalog {
	e2e := func(name, requirement string) testcases.Case {
		return testcases.Case{
			Name: name, Description: "Kubernetes e2e specs of " + name, Tier: "smoke",
			Container: "opnfv/functest-kubernetes-smoke:v1.23", Mandatory: true, Level: testcases.LevelMust,
			Driver: "e2e_testing", Focus: `\[` + name + `\]`, Skip: `\[Disruptive\]|\[Feature:SCTP\]`,
			Requirements: []string{requirement},
		}
	}
	other := func(name, driver, requirement string, mandatory bool) testcases.Case {
		return testcases.Case{
			Name: name, Tier: "security", Container: "opnfv/functest-kubernetes-security:v1.23", Mandatory: mandatory,
			Level: testcases.LevelMust, Driver: driver, Requirements: []string{requirement},
		}
	}
	catalog := &testcases.Catalog{
		Release:       "v1.23",
		Specification: testcases.Specification{Title: "Anuket RC2", Version: "September 2022", URL: rc2},
		Cases: []testcases.Case{
			e2e("k8s_conformance", "rc2.conformance"),
			e2e("sig_network", "rc2.network"),
			e2e("sig_auth", "rc2.auth"),
			other("kube_hunter", "kube_hunter", "rc2.security", true),
			other("kube_bench_master", "kube_bench", "rc2.security", true),
			other("netperf", "netperf", "rc2.dataplane", true),
			other("xrally_kubernetes", "xrally_kubernetes", "rc2.benchmarking", true),
			other("k8s_vims", "k8s_vims", "rc2.cnf", true),
			other("cnf_testsuite", "cnf_testsuite", "rc2.cnf", false),
		},
		Requirements: []testcases.Requirement{
			{ID: "gen.cnt.03", Title: "General: Cloud nativeness", Document: "RA2", Level: testcases.LevelMust, URL: "https://cntt.readthedocs.io/projects/ra2/en/stable-moselle/chapters/chapter02.html#kubernetes-architecture-requirements"},
			{ID: "rc2.conformance", Title: "Conformance", Document: "RC2", Level: testcases.LevelMust, URL: rc2 + "#conformance"},
			{ID: "rc2.network", Title: "Network Testing", Document: "RC2", Level: testcases.LevelMust, URL: rc2 + "#network-testing"},
			{ID: "rc2.auth", Title: "Auth Testing", Document: "RC2", Level: testcases.LevelMust, URL: rc2 + "#auth-testing"},
			{ID: "rc2.security", Title: "Security testing", Document: "RC2", Level: testcases.LevelMust, URL: rc2 + "#security-testing"},
			{ID: "rc2.dataplane", Title: "Dataplane benchmarking", Document: "RC2", Level: testcases.LevelMust, URL: rc2 + "#dataplane-benchmarking"},
			{ID: "rc2.benchmarking", Title: "Kubernetes API benchmarking", Document: "RC2", Level: testcases.LevelMust, URL: rc2 + "#kubernetes-api-benchmarking"},
			{ID: "rc2.cnf", Title: "Opensource CNF onboarding and testing", Document: "RC2", Level: testcases.LevelMust, URL: rc2 + "#opensource-cnf-onboarding-and-testing"},
			{ID: "sec.std.001", Title: "CIS Controls", Document: "RM", Level: testcases.LevelShould, URL: "https://cntt.readthedocs.io/projects/rm/en/stable-moselle/chapters/chapter07.html#compliance-with-standards"},
			{
				ID: "ra2.k8s.014", Title: "Security Groups", Document: "RA2", Level: testcases.LevelMust,
				URL:    "https://cntt.readthedocs.io/projects/ra2/en/stable-moselle/chapters/chapter04.html#kubernetes",
				Traces: []string{"infra.net.cfg.004"}, NotCovered: "its tests, [Feature:NetworkPolicy], are in the skip list of sig_network",
			},
			{ID: "ra2.app.001", Title: "Root Parameter Group (OCI Spec)", Document: "RA2", Level: testcases.LevelMust, URL: "javascript:window.ran=1"},
		},
		Features: []testcases.Feature{
			{SIG: "Network", Label: "Conformance", Mandatory: true, URL: "https://example.org/ra2#network"},
			{SIG: "Network", Label: "None", Mandatory: true},
			{SIG: "Network", Label: "Feature:SCTP", URL: "https://example.org/ra2#network"},
			{SIG: "API Machinery", Label: "Feature:PodPriority", Mandatory: true},
		},
		Contradictions: []testcases.Contradiction{
			{
				Kind: "mandatory but skipped", Subject: "Feature:Volumes", Text: "RA2 6 calls it mandatory, RC2 2.2 skips it.",
				Cases: []string{"sig_network", "sig_storage"}, URL: "https://example.org/ra2#storage",
			},
		},
	}
	catalog.Cases[0].Derived = []string{"gen.cnt.03"}
	return catalog
}

// sample is a small campaign in which everything that a report shows happens
// once: each verdict, status and class, a waiver, a flake and hostile text.
func sample() *testcases.Assessment {
	catalog := sampleCatalog()
	a := &testcases.Assessment{
		BuildTag: "G2K7M0Q4ZX1P",
		Verdict:  testcases.NotConformant,
		Reasons: []string{
			"sig_network: recorded PASS, but 1 spec failed in its raw files",
			"sig_auth: 2 of 3 selected specs were not executed",
			"netperf: neither record nor evidence",
		},
		Catalog: catalog,
		Findings: []testcases.Finding{
			{Kind: testcases.FindingNote, Text: "a record of a case that the catalogue does not know: " + hostile},
		},
		Provenance: testcases.Provenance{
			Tool: "xtci v0.1.0", Engine: "replay", Release: "v1.23", SiteDigest: "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
			SiteSource: &testcases.SiteSource{URL: "git::https://lab.example/labs.git//ci/site.yml?ref=" + hostile, Digest: "sha256:0b9c8f1f0b7a1d5d6a2f0f6a6c6f6d1f4f9b1a3c5e7d9f0a1b2c3d4e5f607182", Commit: "3f786850e387550fdab836ed7e6dc881de23001b"},
			Scenario:   "k8-nosdn-nofeature-noha", KubernetesVersion: "v1.23.17", Nodes: []string{"master-1", "worker-1", "worker-2"},
			Images: map[string]string{
				"opnfv/functest-kubernetes-smoke:v1.23":    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
				"opnfv/functest-kubernetes-security:v1.23": "sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
			},
			Started: "2022-09-16 08:00:00", Stopped: "2022-09-16 11:12:13",
		},
	}
	for i := range catalog.Cases {
		if outcome := sampleOutcome(&catalog.Cases[i]); outcome != nil {
			a.Outcomes = append(a.Outcomes, *outcome)
		}
	}
	a.Specs = sampleSpecs()
	return a
}

func sampleOutcome(c *testcases.Case) *testcases.Outcome {
	o := &testcases.Outcome{
		Case: c, Verdict: testcases.VerdictPass, Recorded: testcases.CriteriaPass, RecordedFrom: "record",
		Derived: testcases.CriteriaPass, Complete: true,
		Job: "functest-kubernetes-opnfv-functest-kubernetes-v1.23-" + c.Name + "-run", Build: "12",
		Started: "2022-09-16 08:00:00", Stopped: "2022-09-16 09:37:05", Seconds: 5825.25,
	}
	o.Folder = "G2K7M0Q4ZX1P/" + o.Job + "-" + o.Build + "/" + c.Name
	switch c.Name {
	case "k8s_conformance":
		o.Counts = testcases.Counts{Passed: 2, Skipped: 5}
		o.Checks = []testcases.Check{
			{
				Name: "[sig-network] DNS should provide DNS for services [Conformance]", Status: testcases.StatusPass, Seconds: 12.345,
				Source: testcases.Source{File: "junit_01.xml", Line: 17}, Title: "DNS, services", Link: "https://github.com/kubernetes/kubernetes/tree/release-1.23/test/e2e/network/dns.go#L137",
				Requirement: "rc2.conformance",
			},
			{
				Name: "[sig-apps] Job should flake [Conformance]", Status: testcases.StatusPass, Seconds: 3, Attempts: 2, Flaked: true, Reason: "timed out waiting for the condition",
				Source: testcases.Source{File: "junit_02.xml", Line: 40},
			},
			{Name: "[sig-storage] not here", Status: testcases.StatusSkip, Class: testcases.ClassNotSelected, Reason: "not in the focus of k8s_conformance"},
		}
		o.Facts = []testcases.Fact{{Name: "kubernetes", Value: "v1.23.17"}, {Name: "seed", Value: "1663315200"}}
		o.Earlier = []testcases.EarlierRun{{Folder: "G2K7M0Q4ZX1P/" + o.Job + "-11/" + c.Name, Criteria: testcases.CriteriaFail, Stopped: "2022-09-16 07:30:00"}}
		o.Findings = []testcases.Finding{{Kind: testcases.FindingNote, Text: "e2e.log says 3 passed, the XML 2", Source: testcases.Source{File: "e2e.log", Line: 9001}}}
	case "sig_network":
		o.Verdict, o.Derived, o.Waiver = testcases.VerdictConflict, testcases.CriteriaFail, "SCTP is out of scope here; seen by the committee "+hostile
		o.Counts = testcases.Counts{Passed: 1, Failed: 2, Skipped: 3, Errors: 4, Extra: 1}
		o.Checks = networkChecks()
		o.Findings = []testcases.Finding{
			{Kind: testcases.FindingFailure, Text: "2 specs failed and 4 broke off"},
			{Kind: testcases.FindingConflict, Text: "recorded PASS, derived FAIL: " + hostile, Source: testcases.Source{File: "junit_01.xml"}},
		}
	case "sig_auth":
		o.Verdict, o.Recorded, o.Derived, o.Complete = testcases.VerdictIncomplete, testcases.CriteriaFail, testcases.CriteriaFail, false
		o.Counts = testcases.Counts{Missing: 3, Errors: 2}
		o.Missing = []testcases.MissingCheck{
			{Name: "[sig-auth] ServiceAccounts should mount an API token", Reason: "BeforeSuite failed"},
			{Name: "[sig-auth] Certificates API " + hostile, Reason: "BeforeSuite failed"},
			{Name: "[sig-auth] Unexplained", Reason: "listed as skipped, and nothing says why"},
		}
		o.Checks = []testcases.Check{
			{Name: "BeforeSuite", Status: testcases.StatusError, Class: testcases.ClassSetup, Reason: "Error waiting for all pods to be running and ready", Source: testcases.Source{File: "junit_01.xml", Line: 3}},
			{Name: "BeforeSuite", Status: testcases.StatusError, Class: testcases.ClassSetup, Reason: "Error waiting for all pods to be running and ready", Source: testcases.Source{File: "junit_02.xml", Line: 3}},
			{Name: "[sig-auth] Unexplained", Status: testcases.StatusSkip, Class: testcases.ClassUnexplained},
		}
		o.Findings = []testcases.Finding{{Kind: testcases.FindingIncomplete, Text: "3 selected specs were not executed"}}
	case "kube_hunter":
		o.Verdict, o.Recorded, o.Derived = testcases.VerdictFail, testcases.CriteriaFail, testcases.CriteriaFail
		o.Counts = testcases.Counts{Passed: 14, Failed: 1}
		o.Checks = []testcases.Check{
			{Name: "KHV002 K8s Version Disclosure", Status: testcases.StatusFail, Class: testcases.ClassFailure, Severity: "low", Informative: true, Reason: "v1.23.17 at 10.96.0.1:443", Link: "https://aquasecurity.github.io/kube-hunter/kb/KHV002", Requirement: "rc2.security"},
			{Name: "KHV044 Privileged Container", Status: testcases.StatusFail, Class: testcases.ClassFailure, Severity: "high", Reason: "A privileged container exists on a node", Remedy: "Drop the privilege.", Link: "https://aquasecurity.github.io/kube-hunter/kb/KHV044", Requirement: "rc2.security"},
		}
		o.Findings = []testcases.Finding{{Kind: testcases.FindingFailure, Text: "1 vulnerability of high severity"}}
	case "kube_bench_master":
		o.Counts = testcases.Counts{Passed: 1, Failed: 1, Skipped: 1}
		o.Checks = []testcases.Check{
			{Name: "1.1.1 Ensure that the API server pod specification file permissions are set to 644 or more restrictive", Status: testcases.StatusPass, Severity: "PASS", Informative: true},
			{Name: "1.1.12 Ensure that the etcd data directory ownership is set to etcd:etcd", Status: testcases.StatusFail, Class: testcases.ClassFailure, Severity: "FAIL", Informative: true, Reason: "got root:root", Remedy: "On the etcd server node, run\nchown etcd:etcd /var/lib/etcd", Requirement: "sec.std.001"},
			{Name: "1.2.1 Ensure that the --anonymous-auth argument is set to false", Status: testcases.StatusSkip, Class: testcases.ClassSkipped, Severity: "WARN", Informative: true, Reason: "Test marked as a manual test"},
		}
	case "netperf":
		o.Checks = netperfChecks()
		o.Counts = testcases.Counts{Passed: len(o.Checks)}
	case "xrally_kubernetes":
		o.Checks = rallyChecks()
		o.Counts = testcases.Counts{Passed: 2, Failed: 1}
		o.Verdict, o.Recorded, o.Derived = testcases.VerdictFail, testcases.CriteriaFail, testcases.CriteriaFail
		o.Findings = []testcases.Finding{{Kind: testcases.FindingFailure, Text: "1 scenario broke its SLA"}}
	case "k8s_vims":
		return &testcases.Outcome{
			Case: c, Verdict: testcases.VerdictMissing,
			Findings: []testcases.Finding{{Kind: testcases.FindingIncomplete, Text: "neither record nor evidence"}},
		}
	default:
		o.Counts = testcases.Counts{}
	}
	return o
}

// networkChecks are one check of each class that a run can leave.
func networkChecks() []testcases.Check {
	checks := []testcases.Check{
		{Name: "[sig-network] Services should serve a basic endpoint", Status: testcases.StatusPass, Seconds: 4.5},
		{
			Name: "[sig-network] Networking should provide Internet connection " + hostile, Status: testcases.StatusFail, Class: testcases.ClassFailure, Seconds: 61.2,
			Reason: "Unexpected error:\n    <*errors.errorString>: timed out waiting for the condition\n" + hostile, Where: "test/e2e/network/networking.go:86 " + hostile,
			Source: testcases.Source{File: "junit 01#?.xml", Line: 4711}, Remedy: "Give the nodes a route.", Title: "Networking " + hostile, Link: "javascript:window.ran=1",
			Requirement: "rc2.network", Attempts: 2,
		},
		{Name: "[sig-network] ran by mistake [Feature:SCTP]", Status: testcases.StatusFail, Class: testcases.ClassTimeout, Extra: true, Reason: "timeout", Source: testcases.Source{File: "../../../etc/passwd"}},
	}
	for _, class := range []testcases.Class{testcases.ClassPanic, testcases.ClassInterrupted, testcases.ClassAborted, testcases.ClassTeardown} {
		checks = append(checks, testcases.Check{
			Name: "[sig-network] Broken by " + string(class), Status: testcases.StatusError, Class: class, Reason: "it says " + string(class),
			Source: testcases.Source{File: "junit_03.xml", Line: 5},
		})
	}
	for _, class := range []testcases.Class{testcases.ClassSkipped, testcases.ClassPending, testcases.ClassDryRun} {
		checks = append(checks, testcases.Check{
			Name: "[sig-network] Skipped as " + string(class), Status: testcases.StatusSkip, Class: class, Reason: "Requires at least 2 nodes (not -1)",
			Source: testcases.Source{File: "junit_04.xml", Line: 6},
		})
	}
	return checks
}

// netperfChecks are five lines over segment sizes and two single figures, at
// rates that need a logarithmic axis, with gaps, an outlier and no number.
func netperfChecks() []testcases.Check {
	names := []string{
		"1 iperf TCP. Same VM using Pod IP", "2 iperf TCP. Same VM using Virtual IP", "3 iperf TCP. Remote VM using Pod IP",
		"4 iperf TCP. Remote VM using Virtual IP", "5 iperf TCP. Hairpin Pod to own Virtual IP",
	}
	var checks []testcases.Check
	for i, name := range names {
		c := testcases.Check{Name: name, Status: testcases.StatusPass, Informative: true}
		top := []float64{24252, 21052, 910, 806, 17493}[i]
		c.Figures = append(c.Figures, testcases.Figure{Name: "Maximum", Value: top, Unit: "Mbit/s"})
		for k, mss := 0, 96; mss <= 1440; k, mss = k+1, mss+64 {
			value := math.Round(top * (1 - math.Exp(-float64(mss)/(150+120*float64(i)))))
			if i == 3 && k%7 == 3 {
				value = 0
			}
			c.Figures = append(c.Figures, testcases.Figure{Name: fmt.Sprintf("MSS %d", mss), Value: value, Unit: "Mbit/s"})
		}
		checks = append(checks, c)
	}
	checks[4].Figures[22].Value = 217872
	checks[2].Figures[5].Value = math.NaN()
	return append(checks,
		testcases.Check{Name: "11 iperf UDP. Same VM using Pod IP", Status: testcases.StatusPass, Informative: true, Figures: []testcases.Figure{{Name: "Maximum", Value: 6647, Unit: "Mbit/s"}}},
		testcases.Check{Name: "16 netperf. Same VM using Virtual IP", Status: testcases.StatusSkip, Class: testcases.ClassSkipped, Informative: true, Reason: "not measured: netperf cannot use a service address", Figures: []testcases.Figure{{Name: "Maximum", Value: 0, Unit: "Mbit/s"}}})
}

func rallyChecks() []testcases.Check {
	row := func(name string, iterations float64, seconds ...float64) testcases.Check {
		c := testcases.Check{Name: name, Status: testcases.StatusPass, Figures: []testcases.Figure{{Name: "iterations", Value: iterations}}}
		for i, figure := range []string{"min", "median", "90%", "95%", "max", "avg"} {
			c.Figures = append(c.Figures, testcases.Figure{Name: figure, Value: seconds[i], Unit: "s"})
		}
		return c
	}
	checks := []testcases.Check{
		row("Kubernetes.create_and_delete_deployment", 10, 3.117, 4.212, 5.004, 5.1, 5.201, 4.3),
		row("Kubernetes.create_and_delete_pod", 10, 2.1, 2.2, 3.004, 3.1, 3.201, 2.3),
		row("Kubernetes.create_and_delete_pod [2]", 10, 2.1, 2.2, 3.004, 3.1, 3.201, 2.3),
	}
	checks[2].Status, checks[2].Class = testcases.StatusFail, testcases.ClassFailure
	checks[2].Reason = "Failure rate criteria 0.00% <= 30.00% <= 0.00% - Failed"
	checks[2].Source = testcases.Source{File: "xrally_kubernetes.xml", Line: 12}
	return checks
}

func sampleSpecs() []testcases.SpecResult {
	spec := func(name string, status testcases.Status, class testcases.Class, reason string, cases ...string) testcases.SpecResult {
		return testcases.SpecResult{Check: testcases.Check{Name: name, Status: status, Class: class, Reason: reason}, Cases: cases}
	}
	specs := []testcases.SpecResult{
		spec("[sig-network] DNS should provide DNS for services [Conformance]", testcases.StatusPass, "", "", "k8s_conformance", "k8s_quick"),
		spec("[sig-apps] Job should flake [Conformance]", testcases.StatusPass, "", "", "k8s_conformance"),
		spec("[sig-network] Networking should provide Internet connection "+hostile, testcases.StatusFail, testcases.ClassFailure, "Unexpected error:\n and more", "sig_network"),
		spec("[sig-network] Broken by panic", testcases.StatusError, testcases.ClassPanic, "nil pointer", "sig_network"),
		spec("[sig-network] Skipped as pending", testcases.StatusSkip, testcases.ClassPending, "pending", "sig_network"),
		spec("[sig-network] Skipped as skipped", testcases.StatusSkip, testcases.ClassSkipped, "Requires at least 2 nodes (not -1)", "sig_network"),
		spec("[sig-auth] ServiceAccounts should mount an API token", testcases.StatusSkip, testcases.ClassUnexplained, "BeforeSuite failed", "sig_auth"),
		spec("[sig-network] SCTP [Feature:SCTP]", testcases.StatusSkip, testcases.ClassNotSelected, "[Feature:SCTP] is in the skip list of sig_network"),
		spec("[sig-cli] Kubectl", testcases.StatusSkip, testcases.ClassNotSelected, "in the focus of no case"),
		spec("[sig-cli] "+hostile, testcases.StatusSkip, testcases.ClassNotSelected, "in the focus of no case"),
	}
	specs[1].Flaked, specs[1].Attempts = true, 2
	specs[6].Missing = true
	return specs
}

// large is a campaign of the size of a real one: all 7,052 specs, of which
// 815 ran, some of them failing with long reasons.
func large() *testcases.Assessment {
	a := sample()
	a.Specs = nil
	o := &a.Outcomes[0]
	for i := range 7052 {
		c := testcases.Check{
			Name: fmt.Sprintf("[sig-storage] In-tree Volumes [Driver: driver-%d] [Testpattern: Dynamic PV (filesystem volmode)] multiVolume [Slow] should access to two volumes with the same volume mode and retain data across pod recreation on the same node %d", i%30, i),
		}
		var cases []string
		switch {
		case i < 40:
			c.Name = fmt.Sprintf("[sig-network] Services should be able to switch session affinity for service with type clusterIP %d", i)
			c.Status, c.Class, c.Reason = testcases.StatusFail, testcases.ClassFailure, fmt.Sprintf("Unexpected error:\n    <*errors.errorString | 0xc0%08d>: {\n        s: \"timed out waiting for the condition\",\n    }\n    timed out waiting for the condition\noccurred", i)
			c.Where, c.Source = "test/e2e/network/service.go:2493", testcases.Source{File: "junit_01.xml", Line: 100 + i}
			cases = []string{"k8s_conformance"}
		case i < 815:
			c.Status, c.Seconds, cases = testcases.StatusPass, float64(i), []string{"k8s_conformance", "sig_storage"}
		case i < 842:
			c.Status, c.Class, c.Reason, cases = testcases.StatusSkip, testcases.ClassSkipped, "Requires at least 2 nodes (not -1)", []string{"sig_storage"}
		default:
			c.Status, c.Class, c.Reason = testcases.StatusSkip, testcases.ClassNotSelected, fmt.Sprintf("[Driver:.+] is in the skip list of sig_storage (%d)", i%50)
		}
		o.Checks = append(o.Checks, c)
		a.Specs = append(a.Specs, testcases.SpecResult{Check: c, Cases: cases})
	}
	o.Verdict, o.Derived = testcases.VerdictConflict, testcases.CriteriaFail
	o.Counts = testcases.Counts{Passed: 775, Failed: 40, Skipped: 6237}
	return a
}
