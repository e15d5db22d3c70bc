package casc

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the golden files anew")

func options(change func(*Options)) Options {
	o := Options{URL: "http://127.0.0.1:8080", User: "admin", Password: "s3cret", Executors: 6}
	if change != nil {
		change(&o)
	}
	return o
}

func TestConfig(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*Options){
		"plain": nil,
		"all": func(o *Options) {
			o.URL = "https://ci.example.org/jenkins/"
			o.User, o.Password = "yes", `a$b"c'd\e: #{${HOME}} - é`
			o.Executors = 12
			o.S3 = S3Key{"xtci-jobs", `${readFile:/etc/passwd}`}
			o.Proxy = Proxy{HTTP: "http://me:p%40ss@proxy.example.org:3128", NoProxy: "localhost,127.0.0.1,.cluster.local example.org"}
		},
		"proxy": func(o *Options) { o.Proxy = Proxy{HTTP: "proxy"} },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Config(options(change))
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*Options)
		want   string
	}{
		"one executor":           {func(o *Options) { o.Executors = 1 }, "at least 2"},
		"no URL":                 {func(o *Options) { o.URL = "" }, "URL of Jenkins"},
		"a URL with a password":  {func(o *Options) { o.URL = "http://a:b@c" }, "URL of Jenkins"},
		"no user":                {func(o *Options) { o.User = "" }, "another name"},
		"nobody":                 {func(o *Options) { o.User = "Anonymous" }, "another name"},
		"a colon in the user":    {func(o *Options) { o.User = "a:b" }, "use letters"},
		"no password":            {func(o *Options) { o.Password = "  " }, "nobody could log in"},
		"what looks like a hash": {func(o *Options) { o.Password = "#jbcrypt:x" }, "hash"},
		"more than bcrypt looks at": {func(o *Options) {
			o.Password = "0123456789012345678901234567890123456789012345678901234567890123456789012"
		}, "72"},
		"a password of two lines":     {func(o *Options) { o.Password = "a\nb" }, "cannot be typed"},
		"a key that is not UTF-8":     {func(o *Options) { o.S3 = S3Key{"a", "b\xff"} }, "cannot be typed"},
		"a proxy of another protocol": {func(o *Options) { o.Proxy.HTTP = "socks5://secret@host:1" }, "proxy"},
		"a proxy's port":              {func(o *Options) { o.Proxy.HTTP = "http://host:99999" }, "99999"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Config(options(tt.change))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want an error with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "secret@") || strings.Contains(err.Error(), "0123456789012") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

// standIn stands in for the plugin's reading of a value: what
// configuration-as-code 1670 does by the rules of commons-text 1.10, with no
// variable known. It replaces twice; the first time ^ is kept and variables
// may be in variables.
func standIn(text string) string {
	return replace(replace(text, true), false)
}

func replace(text string, first bool) string {
	var out strings.Builder
	for {
		at := strings.Index(text, "${")
		if at < 0 {
			break
		}
		escaped := at > 0 && text[at-1] == '^'
		if escaped && first {
			out.WriteString(text[:at+1])
			text = text[at+1:]
			continue
		}
		end := closing(text[at+2:], first)
		if end < 0 {
			break // all is as it was, to the end
		}
		if escaped {
			out.WriteString(text[:at-1] + "${")
			text = text[at+2:]
			continue
		}
		out.WriteString(text[:at])
		if first { // not known: left for the second time
			out.WriteString(text[at : at+2+end+1])
		}
		text = text[at+2+end+1:]
	}
	return out.String() + text
}

// closing is where the } of a variable is, whose name may have variables in
// it.
func closing(text string, nested bool) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch {
		case nested && strings.HasPrefix(text[i:], "${"):
			depth++
			i++
		case text[i] == '}' && depth == 0:
			return i
		case text[i] == '}':
			depth--
		}
	}
	return -1
}

func TestStandIn(t *testing.T) {
	t.Parallel()
	// What the plugin's documents and tests say.
	for text, want := range map[string]string{
		"a${b}c": "ac", "a^${b}c": "a${b}c", "^^${b}": "^${b}", "${b": "${b", "^${b": "^${b", "$b}": "$b}", "^$b": "^$b", "${a${b}}c": "}c",
	} {
		if got := standIn(text); got != want {
			t.Errorf("%s is read as %s, want %s", text, got, want)
		}
	}
}

// arrives is what Jenkins gets of a text: through YAML, and the plugin.
func arrives(t *testing.T, text string) string {
	t.Helper()
	written, err := yaml.Marshal(map[string]literal{"a": literal(text)})
	if err != nil {
		t.Fatal(err)
	}
	var read map[string]string
	if err := yaml.Unmarshal(written, &read); err != nil {
		t.Fatalf("%s: %v", written, err)
	}
	return standIn(read["a"])
}

func TestLiteralArrives(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", " ", "plain", "$", "$$", "${", "${}", "}", "}${", "^", "^^", "^${", "^${a}", "^^${a}", "a^$b", "$ {a}",
		"${a}", "${a}${b}", "${a}${b", "${a${b}}", "${${a}", "${${", "${a:-b}", "${readFile:/etc/passwd}", "x}${a}^", "$^{a}",
		`"`, `'`, `\`, `\n`, `a"b'c`, "yes", "no", "on", "~", "null", "0x1f", "014", "1_000", "1:30", "1e3", "- a", "a: b", "a #b", "#jb", "*a", "&a", "!a", "|", ">", "%a", "@a", "`a", "é", "日本", "😀", "{a}", "[a]",
	} {
		if got := arrives(t, text); got != text {
			t.Errorf("%q arrives as %q", text, got)
		}
	}
}

// TestEveryShortTextArrives goes through all texts of what matters.
func TestEveryShortTextArrives(t *testing.T) {
	t.Parallel()
	const alphabet, most = "${}^a", 7
	texts := []string{""}
	for range most {
		var longer []string
		for _, text := range texts {
			if got := standIn(escape(text)); got != text {
				t.Fatalf("%q arrives as %q", text, got)
			}
			for _, r := range alphabet {
				longer = append(longer, text+string(r))
			}
		}
		texts = longer
	}
}

func FuzzLiteralArrives(f *testing.F) {
	for _, seed := range []string{"${a}", "^${a}${b", "${${a}", "a}b${", `"'\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsFunc(text, func(r rune) bool { return !printable(r) }) {
			t.Skip("refused before")
		}
		if got := arrives(t, text); got != text {
			t.Errorf("%q arrives as %q", text, got)
		}
	})
}
