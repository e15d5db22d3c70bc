package lint

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/anuket-project/xtci/config"
)

const latest = "latest"

var releaseTag = regexp.MustCompile(`^v1\.[0-9]{1,4}\b`)

// tags looks at what images are run.
func (c *checker) tags() {
	inherit, known := false, len(c.Site.Suites) == 0
	for _, suite := range c.Site.Suites {
		if len(suite.DockerTags) == 0 {
			inherit = true
			known = known || c.known(suite.Container)
		}
	}
	if inherit || len(c.Site.Suites) == 0 {
		for i, tag := range c.Site.Tags() {
			c.tag(fmt.Sprintf("docker_tags[%d]", i), "all suites without tags of their own", tag, known)
		}
	}
	for i, suite := range c.Site.Suites {
		for k, tag := range suite.DockerTags {
			c.tag(fmt.Sprintf("suites[%d].docker_tags[%d]", i, k), suite.Container, tag, c.known(suite.Container))
		}
	}
}

// tag looks at one tag; known is that the catalogue has what is run.
func (c *checker) tag(key, who string, tag config.DockerTag, known bool) {
	branch := path.Base(tag.Branch)
	of := releaseTag.FindString(path.Base(c.Branch))
	switch {
	case tag.Name == latest:
		c.find(TagLatest, key, "%s run %s, which is another image from one night to the next (a playbook that gives no docker_tags has it): give the release", who, latest)
	case strings.HasPrefix(tag.Branch, "stable/") && branch != tag.Name:
		c.find(TagNotRelease, key, "the tag %s is of the branch %s: one of the two is wrong", tag.Name, tag.Branch)
	case releaseTag.MatchString(tag.Name) && of != "" && releaseTag.FindString(tag.Name) != of:
		c.find(TagNotRelease, key, "the tag %s is in the branch %s: one of the two is wrong", tag.Name, c.Branch)
	case (known || releaseTag.MatchString(tag.Name)) && tag.Name != c.Site.Release:
		c.find(TagNotRelease, key, "%s run images of %s, and are judged by the catalogue of %s", who, tag.Name, c.Site.Release)
	}
}
