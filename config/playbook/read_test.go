package playbook

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

var testOptions = Options{Address: "192.0.2.10", Releases: []string{"v1.23", "v1.32"}}

// write is what convert writes of a playbook's campaigns, one after the other.
func write(t *testing.T, p *Playbook) []byte {
	t.Helper()
	var text bytes.Buffer
	for _, c := range p.Campaigns {
		if text.Len() > 0 {
			text.WriteString("---\n")
		}
		if err := Write(&text, c, p.Findings); err != nil {
			t.Fatal(err)
		}
	}
	return text.Bytes()
}

// Each playbook becomes the sites, and gives the findings, of its golden file.
func TestRead(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/playbooks/*/site.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no playbooks: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			t.Parallel()
			p, err := Read(file, testOptions)
			if err != nil {
				t.Fatal(err)
			}
			got, golden := write(t, p), filepath.Join(filepath.Dir(file), "golden.yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got (-update writes it anew):\n%s", diff)
			}
			for _, c := range p.Campaigns {
				sameAgain(t, c)
			}
		})
	}
}

// sameAgain wants that what is written of a campaign loads as the same site.
func sameAgain(t *testing.T, c Campaign) {
	t.Helper()
	var text bytes.Buffer
	if err := Write(&text, c, nil); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "xtci.yaml")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	want, err := config.Load(config.Options{Base: &c.Site})
	if err != nil {
		t.Fatalf("the site itself: %v", err)
	}
	got, err := config.Load(config.Options{File: file})
	if err != nil {
		t.Fatalf("what was written: %v\n%s", err, text.Bytes())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("site (-read from the playbook +loaded from what was written):\n%s\n%s", diff, text.Bytes())
	}
}

// read reads a playbook of one play with one call of the role.
func readText(t *testing.T, text string, o Options) (*Playbook, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "site.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Read(file, o)
}

// call is a playbook with these variables.
func call(variables ...string) string {
	text := "- hosts: 127.0.0.1\n  roles:\n    - role: collivier.xtesting\n"
	for _, v := range variables {
		text += "      " + strings.ReplaceAll(v, "\n", "\n      ") + "\n"
	}
	return text
}

// What cannot be read says where and why.
func TestErrors(t *testing.T) {
	t.Parallel()
	tens := "[" + strings.Repeat("'{{ $ }}', ", 10) + "]"
	many := strings.Repeat("[", 60) + strings.Repeat("]", 60)
	for _, test := range []struct{ name, text, want string }{
		{"no playbook", "project: x\n", "site.yml:1: it is no playbook: want a list of plays, this is a mapping"},
		{"no play", "- x\n", "site.yml:1: want a play"},
		{"no hosts", "- roles: [collivier.xtesting]\n", "site.yml:1: the play has no hosts"},
		{"no role", "- hosts: all\n  roles: [other]\n", "no play calls the role collivier.xtesting"},
		{"no YAML", "- hosts: [\n", "site.yml:1: no YAML"},
		{"two documents", "- hosts: a\n---\n- hosts: b\n", "more than one YAML document"},
		{"too deep", call("suites: " + many), "more than 50 lists and mappings"},
		{"bomb", "- a: &a [x,x,x,x,x,x,x,x,x,x]\n  b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n  c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n  d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n  e: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n", "more than 100000 values"},
		{"alias of itself", "- &a [*a]\n", "lists and mappings"},
		{"jinja key", call("{{ x }}: y"), "cannot be a key"},
		{"vault", call("jenkins_password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162"), "site.yml:4: variable jenkins_password: it is encrypted with Ansible Vault"},
		{"vault in a list", call("docker_args:\n  env:\n    TOKEN: !vault |\n      $ANSIBLE_VAULT;1.1;AES256"), "site.yml:6: variable docker_args: it is encrypted"},
		{"vault in a template", call("secret: !vault x", "jenkins_password: 'x{{ secret }}'"), "site.yml:4: variable secret: it is encrypted"},
		{"vault file", "$ANSIBLE_VAULT;1.1;AES256\n616263\n", "the whole file is encrypted with Ansible Vault"},
		{"vars_files", "- hosts: all\n  vars_files: [no.yml]\n  roles: [collivier.xtesting]\n", "site.yml:2: vars_files:"},
		{"not there", call("project: '{{ projct }}'"), "site.yml:4: variable project: projct is not there: did you mean project?"},
		{"fact", call("project: '{{ ansible_hostname }}'"), "it is a fact of a host"},
		{"itself", call("project: 'x{{ db_project }}'"), "variable project: it is made of itself"},
		{"filter", call("project: \"{{ 'x' | password_hash('sha512') }}\""), "the filter password_hash is not there"},
		{"function", call("project: '{{ range(3) }}'"), "the function range is not there"},
		{"statement", call("project: '{% for x in y %}{% endfor %}'"), "it is no expression of Jinja"},
		{"include", call("project: '{% include \"/etc/passwd\" %}'"), "it is no expression of Jinja"},
		{"no end", call("project: '{{ x'"), "variable project"},
		{"multiplied", call("project: \"{{ 'x' * 1000000000 }}\""), "* and ** are not there"},
		{"divided by nothing", call("dport: '{{ 1 % 0 }}'"), "it cannot be resolved"},
		{"grown", call(`a: "{{ '`+strings.Repeat("x", 1000)+`' }}"`, `b: "{{ a | replace('x', a) | replace('x', a) }}"`, "project: '{{ b }}'"), "more than 65536 bytes"},
		{"nested", call("project: '{{ " + strings.Repeat("(", 40) + "1" + strings.Repeat(")", 40) + " }}'"), "brackets within each other"},
		{"parts", call("project: '{{ 1" + strings.Repeat(" + 1", 400) + " }}'"), "more than 300 parts"},
		{"lists of lists", call("a: [x,x,x,x,x,x,x,x,x,x]", "b: "+strings.ReplaceAll(tens, "$", "a"), "c: "+strings.ReplaceAll(tens, "$", "b"), "d: "+strings.ReplaceAll(tens, "$", "c"), "e: "+strings.ReplaceAll(tens, "$", "d"), "f: "+strings.ReplaceAll(tens, "$", "e"), "g: "+strings.ReplaceAll(tens, "$", "f"), "project: '{{ g | length }}'"), "take and make is more than"},
		{"long lists, often", call("a: ["+strings.Repeat("x,", 20000)+"]", "docker_args: {volumes: ["+strings.Repeat("'{{ a | length }}',", 2000)+"]}"), "take and make is more than"},
		{"no list", call("suites: x"), "site.yml:4: variable suites: want a list, and not \"x\""},
		{"no truth", call("use_node: perhaps"), "site.yml:4: variable use_node: want true or false"},
		{"no number", call("jenkins_port: http"), "site.yml:4: variable jenkins_port: want a whole number"},
		{"project", call("project: With Blanks"), "site.yml:4: variable project: project: \"With Blanks\" cannot be used"},
		{"suite", call("suites:\n  - container: one\n    tests: [a]\n  - container: Two\n    tests: [b]"), "site.yml:7: variable suites[1]: suites[1].container: \"Two\" cannot be used"},
		{"condition", call("suites: [{container: a, tests: [b], properties: {condition: NEVER}}]"), "condition"},
		{"execution", call("suites: [{container: a, tests: [b], properties: {execution-type: SOMEHOW}}]"), "execution-type: want PARALLEL or SEQUENTIALLY"},
		{"bucket", call("s3_dst_url: http://x"), "want s3://BUCKET"},
		{"tag", call("docker_tags: [a, a]"), "name each tag once"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, err := readText(t, test.text, testOptions)
			if err == nil {
				t.Fatalf("no error, and findings %v", p.Findings)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q, want %q", err, test.want)
			}
		})
	}
}

// What is encrypted does not matter where xtci has no use for it, or has it
// from elsewhere.
func TestVault(t *testing.T) {
	t.Parallel()
	p, err := readText(t, call("gitlab_root_password: !vault x"), testOptions)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Findings) == 0 || !strings.Contains(p.Findings[len(p.Findings)-1].Text, "GitLab is not there yet") {
		t.Errorf("findings %v", p.Findings)
	}
	o := testOptions
	o.Given = func(key string) bool { return key == "stack.jenkins.password" }
	if _, err := readText(t, call("jenkins_password: !vault x"), o); err != nil {
		t.Error(err)
	}
}

// A file that is too large is not read.
func TestLargeFile(t *testing.T) {
	t.Parallel()
	if _, err := readText(t, "#"+strings.Repeat("x", maxFile), testOptions); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("error %v", err)
	}
}

// Ansible's words for roles are not taken for variables.
func TestIs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		call(): true, "project: x\n": false, "": false, "- [\n": false, "$ANSIBLE_VAULT;1.1;AES256\n61": true,
	} {
		if got := Is([]byte(text)); got != want {
			t.Errorf("Is(%q) is %v", text, got)
		}
	}
}

// FuzzRead reads anything: what is read is a site that is the same when it is
// written and loaded again.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/playbooks/*/site.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	known, err := newVariables()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		const file = "testdata/none/site.yml" // so that no file beside it is read
		r := newReader(file, known, testOptions)
		doc, err := r.parse(file, text)
		if err != nil {
			return
		}
		p, err := r.read(file, doc)
		if err != nil {
			return
		}
		if len(p.Campaigns) == 0 {
			t.Fatal("neither a campaign nor an error")
		}
		for _, c := range p.Campaigns[:1] {
			c.Site.Stack.Prefix = t.TempDir() // no secrets of others
			sameAgain(t, c)
		}
	})
}

// FuzzTemplate resolves any template: it comes to a value that is not too
// large, or to an error that says where.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{
		"{{ project }}-run", "{{ 'a' if x is defined else [1, 2] | join('-') }}", "{{ lists[0][1:] + lists[1] }}", "{{ m.a | default(m['b']) }}",
		`{{ 'v1.23' | regex_replace("^v(\d+)", "\\1") }}`, "{{- project | upper -}} {# x #}", "{{ m | dict2items | flatten | to_json }}", "{{ 1 // 0 }}{{ 'x'.split('') }}",
	} {
		f.Add(text)
	}
	known, err := newVariables()
	if err != nil {
		f.Fatal(err)
	}
	vars, err := newReader("vars.yml", known, testOptions).parse("vars.yml", []byte("lists: [[a, b], [1, 2.5, null]]\nm: {a: {c: d}, b: yes}\nlong: "+strings.Repeat("x", 2000)))
	if err != nil {
		f.Fatal(err)
	}
	m, _ := vars.mapping()
	f.Fuzz(func(t *testing.T, text string) {
		r := newReader("site.yml", known, testOptions)
		s := r.scope(entry{place: place{"site.yml", 1}}, []layer{{m, false}})
		v, err := s.render(place{"site.yml", 7}, text)
		if err != nil {
			if !strings.Contains(err.Error(), ".yml:") {
				t.Errorf("%q: it is not said where: %v", text, err)
			}
			return
		}
		if n := size(v.data); n > maxText {
			t.Errorf("%q comes to %d bytes", text, n)
		}
	})
}
