package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/jenkins"
)

// A build tag under which others have pushed to the stack is refused: what
// they left would be judged as this campaign's.
func TestABuildTagOfTheStackIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	h := newCampaignHost(t, "healthcheck")
	tag := uniqueTag(t)
	journal := filepath.Join(h.prefix, "campaigns", tag+".json")
	h.run(0, "up")
	args := []string{"run", "--tag", tag, "--tests", "k8s_quick", "--set", "env.FUNCTEST_STANDIN_PASS=all"}
	h.run(1, args...)
	if err := os.Remove(journal); err != nil { // as if Jenkins had run it
		t.Fatal(err)
	}
	for _, flags := range [][]string{nil, {"--no-stack"}} {
		if _, errs := h.run(2, append(args, flags...)...); !strings.Contains(errs, "there are results of another campaign "+tag) {
			t.Errorf("run again with %v: %s", flags, errs)
		}
		if _, err := os.Stat(journal); err == nil {
			t.Error("it has a journal, and so was run by xtci")
		}
	}
	left(t, tag)
}

// Which images ran is not forgotten when a campaign goes on with a part of
// them, or with others under the same tag.
func TestImagesOfACampaignThatGoesOn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, ran, now, want string }{
		{"it begins", "", "a:1", "a:1"},
		{"nothing changed", "a:1", "a:1", "a:1"},
		{"a part goes on", "a:1 b:2", "a:1", "a:1 b:2"},
		{"more is run", "a:1", "a:1 b:2", "a:1 b:2"},
		{"the tag was moved", "a:1", "a:2", "a:1, then 2"},
		{"and stays", "a:1, then 2", "a:2", "a:1, then 2"},
	} {
		images := func(text string) map[string]string {
			of := map[string]string{}
			for image := range strings.SplitSeq(strings.ReplaceAll(text, ", then ", "/"), " ") {
				if ref, digest, ok := strings.Cut(image, ":"); ok {
					of[ref] = strings.ReplaceAll(digest, "/", ", then ")
				}
			}
			return of
		}
		if got := bothImages(images(test.ran), images(test.now)); !maps.Equal(got, images(test.want)) {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// site is one whose stack is where the campaign was pushed to.
func (p *pushedCampaign) site() config.Site {
	site := config.Default()
	site.Stack.Prefix = p.prefix
	site.Stack.Minio.External.Endpoint, site.Stack.Minio.Bucket = p.minio.Endpoint, p.bucket
	site.Stack.Minio.JobsAccessKey, site.Stack.Minio.JobsSecretKey = p.minio.AccessKey, p.minio.SecretKey
	site.Stack.TestDB.External.URL = strings.TrimRight(p.testDB, "/")
	return site
}

// Nor does a campaign in Jenkins begin under a build tag that has results.
func TestABuildTagIsNotUsedAgainInJenkins(t *testing.T) {
	t.Parallel()
	p := pushSample(t)
	site := p.site()
	if err := unusedInStack(t.Context(), site, p.tag); err == nil || !strings.Contains(err.Error(), p.tag+".json") {
		t.Errorf("xtci ran it: %v", err)
	}
	site.Stack.Prefix = t.TempDir()
	if err := unusedInStack(t.Context(), site, p.tag); err == nil || !strings.Contains(err.Error(), p.tag+"/") {
		t.Errorf("its files are in the store: %v", err)
	}
	if err := unusedInStack(t.Context(), site, "NOBODY_HAS_IT"); err != nil {
		t.Errorf("a tag that nobody has: %v", err)
	}
}

// Jobs that succeeded do not make a campaign conformant that nobody judged.
func TestACampaignInJenkinsWithoutAReportIsNotCalledConformant(t *testing.T) {
	t.Parallel()
	p := pushSample(t)
	content := new(bytes.Buffer)
	w := zip.NewWriter(content)
	if _, err := w.Create(artifacts.IndexName(p.tag)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.store.Put(t.Context(), artifacts.ArchiveName(p.tag), content); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	f := &following{app: &app{out: &out, err: &out}, tag: p.tag}
	err := f.printEnd(t.Context(), p.site(), jenkins.Outcome{Run: jenkins.Run{Result: jenkins.ResultSuccess}})
	if !errors.Is(err, errNo) || !strings.Contains(out.String(), noReport) {
		t.Errorf("got %v, and it says\n%s", err, &out)
	}
}
