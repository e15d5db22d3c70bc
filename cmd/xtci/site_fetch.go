package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anuket-project/xtci/config/playbook"
	"github.com/anuket-project/xtci/internal/fetch"
	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases"
)

// siteTime is how long it may take to get a site.
const siteTime = 2 * time.Minute

// A fetchedSite is the copy of a site from elsewhere.
type fetchedSite struct {
	name string // as --site has it, without #2
	fetch.Copy
}

// fetchSite gets the site if --site names one from elsewhere. Offline it is
// the copy that is kept.
func (a *app) fetchSite(ctx context.Context) error {
	a.fetched = nil
	name, _ := cutCampaign(a.configFile)
	if !fetch.Elsewhere(name) {
		return nil
	}
	source, err := fetch.Parse(name)
	if err != nil {
		return usage(fmt.Errorf("--site: %w", err))
	}
	cache, err := a.siteCache()
	if err != nil {
		return err
	}
	if a.offline {
		return a.takeKept(cache, source, name)
	}
	got, err := cache.Get(ctx, source, fetch.Want{Timeout: siteTime, Companion: ofPlaybook})
	if err != nil {
		return a.notFetched(cache, source, err)
	}
	if source.Plain() && !ofLoopback(source) {
		fmt.Fprintf(a.err, "xtci: %s: it came over plain HTTP, where anybody on the way can change it: https, or ?checksum=%s, makes sure\n", term.Plain(got.Source), got.Digest)
	}
	a.log.Info("site fetched", "from", got.Source, "digest", got.Digest, "commit", got.Commit, "to", got.Dir)
	a.fetched = &fetchedSite{name, got}
	return refuseLinks(got)
}

func (a *app) takeKept(cache *fetch.Cache, source fetch.Source, name string) error {
	kept, err := cache.Kept(source)
	if errors.Is(err, fetch.ErrNotCached) {
		return usage(fmt.Errorf("--offline: %w: get it once without --offline", err))
	}
	if err != nil {
		return usage(fmt.Errorf("--offline: %w", err))
	}
	fmt.Fprintf(a.err, "xtci: --offline: the copy of %s that was got at %s (%s)\n", term.Plain(kept.Source), kept.Time.Format(time.RFC3339), kept.Digest)
	a.fetched = &fetchedSite{name, kept}
	return refuseLinks(kept)
}

// notFetched says what can be done about a site that could not be got.
func (a *app) notFetched(cache *fetch.Cache, source fetch.Source, err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, fetch.ErrUnfit):
		return usage(err)
	}
	if kept, missing := cache.Kept(source); missing == nil {
		return fmt.Errorf("%w: there is a copy that was got at %s: --offline takes it", err, kept.Time.Format(time.RFC3339))
	}
	return err
}

// siteCache is where sites from elsewhere are kept.
func (a *app) siteCache() (*fetch.Cache, error) {
	dir := a.getenv("XDG_CACHE_HOME")
	if !filepath.IsAbs(dir) {
		var err error
		if dir, err = os.UserCacheDir(); err != nil {
			return nil, fmt.Errorf("find the folder for copies of sites: %w: set XDG_CACHE_HOME", err)
		}
	}
	return &fetch.Cache{Dir: filepath.Join(dir, "xtci", "sites"), Environ: a.environ}, nil
}

// ofPlaybook says which files of a repository a playbook could read.
func ofPlaybook(name string) bool {
	if folder := path.Base(path.Dir(name)); folder == "host_vars" || folder == "group_vars" {
		return true // of a name with dots, such as an address
	}
	return slices.Contains([]string{"", ".yml", ".yaml", ".json"}, path.Ext(name))
}

// refuseLinks refuses variables beside a playbook that would be left out in
// silence.
func refuseLinks(c fetch.Copy) error {
	dir := path.Dir(filepath.ToSlash(c.File)) + "/"
	for _, link := range c.Links {
		beside := strings.TrimPrefix("./"+link, "./"+strings.TrimPrefix(dir, "./"))
		first, _, _ := strings.Cut(beside, "/")
		if first == "host_vars" || first == "group_vars" {
			return usage(fmt.Errorf("%s: %s is a link: links of a repository are not followed", c.Source, link))
		}
	}
	return nil
}

func ofLoopback(source fetch.Source) bool {
	host := source.Host()
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// cutCampaign parts FILE#2.
func cutCampaign(name string) (file string, campaign int) {
	if cut := strings.LastIndexByte(name, '#'); cut > 0 {
		if n, err := strconv.Atoi(name[cut+1:]); err == nil && n > 0 {
			return name[:cut], n
		}
	}
	return name, 0
}

// fetchedFile is the file of a site from elsewhere. Nothing is got for the
// completion of a command line: it has the copy that is kept.
func (a *app) fetchedFile(name string) (siteFile, error) {
	name, campaign := cutCampaign(name)
	if a.fetched == nil || a.fetched.name != name {
		source, err := fetch.Parse(name)
		if err != nil {
			return siteFile{}, usage(err)
		}
		cache, err := a.siteCache()
		if err != nil {
			return siteFile{}, err
		}
		kept, err := cache.Kept(source)
		if err != nil {
			return siteFile{}, err
		}
		a.fetched = &fetchedSite{name, kept}
	}
	return siteFile{filepath.Join(a.fetched.Dir, a.fetched.File), campaign}, nil
}

// isFetched says whether a file is that of the site from elsewhere.
func (a *app) isFetched(file string) bool {
	return a.fetched != nil && file == filepath.Join(a.fetched.Dir, a.fetched.File)
}

// shown is how people know the file of a site.
func (a *app) shown(file siteFile) string {
	if a.isFetched(file.name) {
		return a.fetched.Source
	}
	return file.name
}

// asFetched names the site and its files as people know them, and says what is
// not here.
func (a *app) asFetched(p *playbook.Playbook) {
	if a.fetched.Commit == "" {
		p.Findings = append([]playbook.Finding{{
			Level: playbook.LevelNote, File: p.File, Line: 1,
			Text: "it was fetched by itself: host_vars, group_vars and vars_files beside it are not read (git::https://HOST/REPOSITORY//PATH has them)",
		}}, p.Findings...)
	}
	short := func(file *string) { *file = strings.TrimPrefix(*file, a.fetched.Dir+string(filepath.Separator)) }
	for i := range p.Findings {
		short(&p.Findings[i].File)
	}
	for i := range p.Campaigns {
		short(&p.Campaigns[i].File)
		for key, origin := range p.Campaigns[i].Origins {
			short(&origin.File)
			p.Campaigns[i].Origins[key] = origin
		}
	}
	p.File = a.fetched.Source
}

// ofFetched says of an error in which site it is.
func (a *app) ofFetched(err error) error {
	if err == nil || a.fetched == nil {
		return err
	}
	if links := a.fetched.Links; len(links) > 0 && a.fetched.Commit != "" {
		return fmt.Errorf("%s: %w (links of the repository are left out: %s)", a.fetched.Source, err, few(links))
	}
	return fmt.Errorf("%s: %w", a.fetched.Source, err)
}

// siteSource is where the site was fetched from, for the provenance.
func (a *app) siteSource() *testcases.SiteSource {
	if a.fetched == nil {
		return nil
	}
	return &testcases.SiteSource{URL: a.fetched.Source, Digest: a.fetched.Digest, Commit: a.fetched.Commit}
}

// plainSite is what --site names, without credentials.
func (a *app) plainSite() string {
	name, campaign := cutCampaign(a.configFile)
	if !fetch.Elsewhere(name) {
		return a.configFile
	}
	source, err := fetch.Parse(name)
	if err != nil {
		return "SITE"
	}
	if campaign > 0 {
		return fmt.Sprintf("%s#%d", source, campaign)
	}
	return source.String()
}
