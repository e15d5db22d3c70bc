package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/testcases"
)

const inMark = `# Title

#### Apps Testing

focus: [sig-apps]

skip:

  - [alpha]
  - load.balancer

See - this is no item.
- [Disruptive]

### Benchmarks

| Scenarios | Iterations |
|-----------|:----------:|
| K.a       | 10         |
| K.a [2]   | 10         |

| software | version |
|----------|---------|
| Rally    | 1.1     |
`

const inText = `Title
=====

Apps Testing
^^^^^^^^^^^^

focus: ` + "`sig-apps <#apps>`__" + `

skip:

-  [alpha]
-  load.balancer

See - this is no item.

-  [Disruptive]

Benchmarks
~~~~~~~~~~

.. list-table:: Benchmarks
   :widths: 80 20
   :header-rows: 1

   * - Scenarios
     - Iterations
   * - K.a
     - 10
   * - K.a [2]
     - 10

Some words.

.. list-table:: Software
   :header-rows: 1

   * - software
     - version
   * - Rally
     - 1.1
`

func TestBothFormatsSayTheSame(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"Markdown": inMark, "reStructuredText": inText} {
		sections := parseSections(strings.Split(text, "\n"))
		if len(sections) != 3 {
			t.Fatalf("%s: sections %+v", name, sections)
		}
		apps, benchmarks := sections[1], sections[2]
		if apps.title != "Apps Testing" || strings.Trim(apps.focus, "[]") != "sig-apps" {
			t.Errorf("%s: title %q, focus %q", name, apps.title, apps.focus)
		}
		if diff := cmp.Diff([]string{"[alpha]", "load.balancer"}, apps.skip); diff != "" {
			t.Errorf("%s: skip (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff([][]string{{"K.a", "10"}, {"K.a [2]", "10"}}, benchmarks.table("scenarios")); diff != "" {
			t.Errorf("%s: scenarios (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff([][]string{{"Rally", "1.1"}}, benchmarks.table("Software")); diff != "" {
			t.Errorf("%s: software (-want +got):\n%s", name, diff)
		}
		if benchmarks.table("container") != nil {
			t.Errorf("%s: a table of cases, which is not there", name)
		}
	}
}

func TestArgumentsOfAnE2ECase(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args map[string]any
		want testcases.Case
		bad  bool
	}{
		"all":                {map[string]any{"nodes": 10, "ginkgo": map[string]any{"focus": "f", "skip": "s"}}, testcases.Case{Focus: "f", Skip: "s", Nodes: 10}, false},
		"one node":           {map[string]any{"ginkgo": map[string]any{"focus": "f"}}, testcases.Case{Focus: "f", Nodes: 1}, false},
		"an unknown one":     {map[string]any{"procs": 3}, testcases.Case{}, true},
		"an unknown option":  {map[string]any{"ginkgo": map[string]any{"focus": "f", "labels": "l"}}, testcases.Case{}, true},
		"a number of a word": {map[string]any{"nodes": "ten"}, testcases.Case{}, true},
	} {
		k := testcases.Case{Driver: "e2e_testing", Args: test.args}
		err := selection(&k)
		if (err != nil) != test.bad {
			t.Errorf("%s: error %v", name, err)
		}
		if test.want.Driver = k.Driver; err == nil {
			if diff := cmp.Diff(test.want, k); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}
