package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/config/playbook"
	"github.com/anuket-project/xtci/internal/fetch"
	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases"
)

// A siteFile is where the site is from: a site's own file, or a playbook and
// which of its campaigns, from 1 on; 0 is that none is chosen.
type siteFile struct {
	name     string // "" for none
	campaign int
}

// siteFile is what --config or --site names. FILE#2 is the second campaign of
// a playbook.
func (a *app) siteFile() (siteFile, error) {
	name := a.configFile
	if name == "" {
		if _, err := os.Stat(defaultConfig); err == nil {
			return siteFile{name: defaultConfig}, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return siteFile{}, usage(err)
		}
		return siteFile{}, nil
	}
	if fetch.Elsewhere(name) {
		return a.fetchedFile(name)
	}
	if local, ok := fetch.Local(name); ok {
		name = local
	}
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		file, campaign := cutCampaign(name)
		return siteFile{file, campaign}, nil
	}
	return siteFile{name: name}, nil
}

// playbook reads the file if it is one; nil is that it is not.
func (a *app) playbook(file string) (*playbook.Playbook, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	text, err := readStart(file)
	if err != nil {
		return nil, usage(fmt.Errorf("read the site: %w", err))
	}
	if !playbook.Is(text) {
		return nil, nil //nolint:nilnil // a site's own file
	}
	options := playbook.Options{Address: a.setTo("address"), Releases: testcases.Releases(), Given: a.isSet}
	if a.isFetched(file) {
		options.Root = a.fetched.Dir
	}
	p, err := playbook.Read(file, options)
	if err == nil && a.isFetched(file) {
		a.asFetched(p)
	}
	return p, usage(a.ofFetched(err))
}

// readStart reads enough of a file to see what it is.
func readStart(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const most = 2 << 20 // more than any reader takes
	return io.ReadAll(io.LimitReader(f, most))
}

// setTo is what a key is set to by flag or environment; nothing if it is not.
func (a *app) setTo(key string) string {
	variable := "XTCI_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
	for _, pair := range slices.Backward(a.sets) {
		if value, ok := strings.CutPrefix(pair, key+"="); ok {
			return value
		}
	}
	return a.getenv(variable)
}

func (a *app) isSet(key string) bool { return a.setTo(key) != "" }

// sites are those of the file, each with environment and flags over it: one,
// or the campaigns of a playbook.
func (a *app) sites() ([]config.Site, error) {
	file, err := a.siteFile()
	if err != nil {
		return nil, err
	}
	read, err := a.playbook(file.name)
	if err != nil {
		return nil, err
	}
	options := config.Options{Environ: a.environ, Set: a.sets}
	if read == nil {
		if options.File = file.name; file.campaign > 0 {
			return nil, usage(fmt.Errorf("%s#%d: it is no playbook: only those have several campaigns", a.shown(file), file.campaign))
		}
		site, err := config.Load(options)
		return []config.Site{site}, usage(a.ofFetched(err))
	}
	a.tell(read)
	campaigns := read.Campaigns
	if file.campaign > 0 {
		if file.campaign > len(campaigns) {
			return nil, usage(fmt.Errorf("%s#%d: it has %s%s", a.shown(file), file.campaign, count(len(campaigns), "campaign"), choices(read)))
		}
		campaigns = campaigns[file.campaign-1 : file.campaign]
	}
	var sites []config.Site
	for _, c := range campaigns {
		options.Base = &c.Site
		site, err := config.Load(options)
		if err != nil {
			return nil, usage(a.ofFetched(fmt.Errorf("%s:%d: %w", c.File, c.Line, err)))
		}
		sites = append(sites, site)
	}
	return sites, nil
}

// choices lists the campaigns of a playbook.
func choices(p *playbook.Playbook) string {
	var text strings.Builder
	for i, c := range p.Campaigns {
		fmt.Fprintf(&text, "\n  %s#%d  %s, line %d", p.File, i+1, c.Site.Project, c.Line)
	}
	return text.String()
}

// tell says once how much of a playbook has no effect.
func (a *app) tell(p *playbook.Playbook) {
	warnings := 0
	for _, f := range p.Findings {
		if f.Level == playbook.LevelWarning {
			warnings++
		}
	}
	if warnings == 0 || a.told {
		return
	}
	a.told = true
	fmt.Fprintf(a.err, "xtci: %s: %s of what has no effect here: xtci lint %s lists them\n", term.Plain(p.File), count(warnings, "warning"), term.Plain(p.File))
}

// site loads the site from file, environment and flags.
func (a *app) site() (config.Site, error) {
	sites, err := a.sites()
	if err != nil {
		return config.Site{}, err
	}
	if len(sites) > 1 {
		file, err := a.siteFile()
		if err != nil {
			return config.Site{}, err
		}
		read, err := a.playbook(file.name)
		if err != nil {
			return config.Site{}, err
		}
		return config.Site{}, usage(fmt.Errorf("%s asks for %d campaigns: name one of them by --site%s", read.File, len(sites), choices(read)))
	}
	return sites[0], nil
}

// stackSite is the site whose stack is looked at: that of all campaigns of a
// playbook is the same.
func (a *app) stackSite() (config.Site, error) {
	sites, err := a.sites()
	if err != nil {
		return config.Site{}, err
	}
	return sites[0], nil
}
