package fetch

import (
	"strings"
	"testing"
)

const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestSources(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{"https://lab.example/xtci.yaml", "https://lab.example/xtci.yaml"},
		{"http://127.0.0.1:8080/a/b.yml", "http://127.0.0.1:8080/a/b.yml"},
		{"https://me:hunter2@lab.example/x.yaml", "https://lab.example/x.yaml"},
		{"https://lab.example/x.yaml?token=hunter2&inline=false", "https://lab.example/x.yaml?inline=...&token=..."},
		{"https://lab.example/x.yaml?checksum=sha256:" + sum, "https://lab.example/x.yaml"},
		{"https://lab.example/x.yaml?checksum=" + strings.ToUpper(sum), "https://lab.example/x.yaml"},
		{"https://lab.example/x.tar.gz?archive=false", "https://lab.example/x.tar.gz"},
		{"git::https://lab.example/labs.git//ci/site.yml?ref=main", "git::https://lab.example/labs.git//ci/site.yml?ref=main"},
		{"git::https://t0ken@lab.example/labs//site.yml", "git::https://lab.example/labs//site.yml"},
		{"GIT::https://lab.example/labs//site.yml", "git::https://lab.example/labs//site.yml"},
		{"git::ssh://git@lab.example:2222/labs.git//site.yml?ref=v1.0", "git::ssh://git@lab.example:2222/labs.git//site.yml?ref=v1.0"},
		{"git::https://lab.example/labs//a%20b.yml", "git::https://lab.example/labs//a%20b.yml"},
		{"s3::https://s3.eu-west-1.amazonaws.com/labs/a/site.yaml", "s3::https://s3.eu-west-1.amazonaws.com/labs/a/site.yaml"},
		{"s3::http://127.0.0.1:9000/labs/x.yaml?region=here", "s3::http://127.0.0.1:9000/labs/x.yaml?region=here"},
	} {
		s, err := Parse(test.text)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
		} else if s.String() != test.want {
			t.Errorf("%s: is said as %s, want %s", test.text, s, test.want)
		}
		if !Elsewhere(test.text) {
			t.Errorf("%s: taken for a path", test.text)
		}
	}
}

func TestWrongSources(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{"ftp://lab.example/x", "nothing is got by ftp"},
		{"hg::https://lab.example/x", "nothing is got by hg::"},
		{"smb://lab.example/x", "nothing is got by smb"},
		{"s3://labs/x.yaml", "nothing is got by s3"},
		{"https:///x.yaml", "names no host"},
		{"https://lab.example", "names no file"},
		{"https://lab.example/a/", "names no file"},
		{"https://lab.example/labs.git//site.yml", "write git::https://lab.example/labs.git//site.yml"},
		{"https://lab.example/x.zip?archive=zip", "nothing is unpacked"},
		{"https://lab.example/x#2", "what follows #"},
		{"https://lab.example/x?checksum=md5:d41d8cd98f00b204e9800998ecf8427e", "want one checksum=sha256"},
		{"https://lab.example/x?checksum=file:https://lab.example/sums", "want one checksum=sha256"},
		{"https://lab.example/x?a=%zz", "cannot be read"},
		{"https://lab.example/a b", "a blank"},
		{"https://lab.example/a\nb", "not printed"},
		{`https://lab.example\@evil.example/x`, "a backslash"},
		{"git::https://lab.example/labs", "which file"},
		{"git::https://lab.example/labs//", "which file"},
		{"git::https://lab.example/labs//../etc/passwd", "neither . nor .."},
		{"git::https://lab.example/labs//a/%2e%2e/b", "neither . nor .."},
		{"git::https://lab.example/labs//a//b", "neither . nor .."},
		{"git::https://lab.example/labs//.git/config", "neither . nor .."},
		{"git::https://lab.example/labs//x?ref=--upload-pack=touch", "want a branch"},
		{"git::https://lab.example/labs//x?ref=-b", "want a branch"},
		{"git::https://lab.example/labs//x?ref=a:b", "want a branch"},
		{"git::https://lab.example/labs//x?ref=%2Ba", "want a branch"},
		{"git::https://lab.example/labs//x?ref=a..b", "want a branch"},
		{"git::https://lab.example/labs//x?ref=a%20b", "want a branch"},
		{"git::https://lab.example/labs//x?sshkey=c2VjcmV0", "sshkey= means nothing"},
		{"git::https://lab.example/labs//x?ref=a&ref=b", "want one ref="},
		{"git::ext::sh -c touch% /tmp/x", "a blank"},
		{"git::ext::touch", "ext"},
		{"git::file:///etc//passwd", "nothing is got out of git by file"},
		{"git::/srv/labs//x", "want the repository as"},
		{"git::git@lab.example:labs//x", "ssh://git@HOST/PATH"},
		{"git::ssh://-oProxyCommand=x/labs//x", "begins with a dash"},
		{"git::ssh://git:hunter2@lab.example/labs//x", "needs a key"},
		{"s3::https://lab.example/labs", "names no bucket or no object"},
		{"s3::https://lab.example/labs/../x", "names no bucket or no object"},
		{"s3::https://a:hunter2@lab.example/labs/x", "environment alone"},
		{"s3::https://lab.example/labs/x?aws_access_key_secret=hunter2", "means nothing"},
		{"https://lab.example/" + strings.Repeat("x", 5000), "more than 4096"},
		{"https://me:hunter2@lab.example:x/", "no address"},
	} {
		_, err := Parse(test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.100q: %v, want %q in it", test.text, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%.100q: the error has the password: %v", test.text, err)
		}
	}
}

func TestPathsAreNoSources(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"xtci.yaml": "", "/etc/xtci.yaml": "", "./a:b": "", "C:/labs": "",
		"file::/srv/x.yaml": "/srv/x.yaml", "file:///srv/x.yaml": "/srv/x.yaml", "file::x.yaml": "x.yaml", "file::file:///x": "/x",
	} {
		if Elsewhere(text) {
			t.Errorf("%s: taken for a source", text)
		}
		if file, ok := Local(text); ok != (want != "") || ok && file != want {
			t.Errorf("%s: the path %s, %v, want %s", text, file, ok, want)
		}
	}
}

// What is kept is found again by who has another password, and by nobody who
// wants something else.
func TestKeys(t *testing.T) {
	t.Parallel()
	key := func(text string) string {
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return s.key()
	}
	same := key("https://lab.example/x.yaml?id=1")
	for _, text := range []string{
		"https://me:secret@lab.example/x.yaml?id=1", "https://lab.example/x.yaml?id=1&token=a", "https://lab.example/x.yaml?checksum=" + sum + "&id=1",
		"https://lab.example/x.yaml?X-Amz-Date=now&X-Amz-Signature=a&id=1",
	} {
		if key(text) != same {
			t.Errorf("%s: kept apart", text)
		}
	}
	for _, text := range []string{
		"https://lab.example/x.yaml?id=2", "http://lab.example/x.yaml?id=1", "https://lab.example/y.yaml?id=1", "s3::https://lab.example/a/x.yaml",
		"git::https://lab.example/x.yaml//a", "git::https://lab.example/x.yaml//a?ref=b",
	} {
		if key(text) == same {
			t.Errorf("%s: kept in place of another", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"https://me:hunter2@lab.example/x.yaml?token=a", "git::https://lab.example/labs//a/site.yml?ref=main", "git::ssh://git@h/r//p",
		"s3::http://127.0.0.1:9000/labs/x.yaml?region=a", "file::/x", "git::https://h/%2f/../r//p?ref=-x", "https://h/x?checksum=" + sum, "https://h/;?a;b", "xtci.yaml",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		if strings.HasPrefix(s.ref, "-") || strings.Contains("/"+s.path+"/", "/../") || strings.HasPrefix(s.path, "/") {
			t.Fatalf("%q: path %q, ref %q", text, s.path, s.ref)
		}
		if s.address.Scheme != "http" && s.address.Scheme != "https" && s.address.Scheme != "ssh" {
			t.Fatalf("%q: by %s", text, s.address.Scheme)
		}
		if strings.Contains(s.base(), "/") || s.base() == ".." {
			t.Fatalf("%q: kept as %q", text, s.base())
		}
		if again, err := Parse(s.prefix() + s.plain(func(_, value string) (string, bool) { return "v", true })); err != nil {
			t.Fatalf("%q: what is said of it, %s, is no source: %v", text, s, err)
		} else if again.address.User != nil && again.address.Scheme != "ssh" {
			t.Fatalf("%q: what is said of it has a user: %s", text, s)
		}
	})
}
