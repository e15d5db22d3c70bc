package testcases

import (
	"strconv"
	"strings"

	"github.com/anuket-project/xtci/config"
)

// names gives jobs the names that Xtesting CI gives them, which people have in
// bookmarks and documents (spec/jobs.md, naming rules).
type names struct {
	project string
	options config.Jobs
}

// campaignPrefix begins the names of campaigns and their archives' jobs.
func (n names) campaignPrefix() string { return n.project + "-" + n.options.ExtraPrefix }

func (n names) campaign(tag string) string {
	return n.campaignPrefix() + tag + n.options.CampaignSuffix
}

func (n names) archive(tag string) string { return n.campaignPrefix() + tag + "-zip" }

func (n names) view() string { return strings.Trim(n.campaignPrefix(), "-") }

// suite begins the names of all jobs of a suite's tag.
func (n names) suite(repo, container, tag string) string {
	prefix := n.options.ExtraPrefix
	if n.options.MultiProjects {
		prefix = n.campaignPrefix()
	}
	if n.options.MultiRepos {
		prefix += strings.NewReplacer(".", "_", "/", "-", ":", "-").Replace(repo) + "-"
	}
	return prefix + strings.ReplaceAll(container, "/", "-") + "-" + tag + "-"
}

func (n names) test(repo, container, tag, test string) string {
	return n.suite(repo, container, tag) + test + n.options.ExtraSuffix
}

// noRepo is a repository that is none: the image's name stands alone.
const noRepo = "_"

// imageReference is the image of a container: what docker is told.
func imageReference(repo string, port int, container, tag string) string {
	switch {
	case repo == noRepo:
		return container + ":" + tag
	case port != 0:
		return repo + ":" + strconv.Itoa(port) + "/" + container + ":" + tag
	default:
		return repo + "/" + container + ":" + tag
	}
}
