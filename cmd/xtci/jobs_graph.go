package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/installer"
	"github.com/anuket-project/xtci/jenkins"
	"github.com/anuket-project/xtci/testcases"
)

// graph is the jobs and views that the site wants in its Jenkins.
func (a *app) graph(site config.Site) (jenkins.Graph, error) {
	catalog, err := testcases.Load(site.Release)
	if err != nil {
		return jenkins.Graph{}, usage(err)
	}
	options, err := a.jobOptions(site)
	if err != nil {
		return jenkins.Graph{}, err
	}
	var graphs []jenkins.Graph
	for _, plan := range testcases.Plans(site, catalog, testcases.ScopeAll) {
		graph, err := jenkins.NewGraph(plan, options)
		if err != nil {
			return jenkins.Graph{}, usage(err)
		}
		graphs = append(graphs, graph)
	}
	graph, err := jenkins.Merge(graphs...)
	return graph, usage(err)
}

// graphs are the jobs and views of several sites in one Jenkins. Where two
// have a job of one name, that of the later site stands, as it would when the
// Ansible role loaded one after the other.
func (a *app) graphs(sites []config.Site) (jenkins.Graph, error) {
	var all jenkins.Graph
	for _, site := range sites {
		graph, err := a.graph(site)
		if err != nil {
			return jenkins.Graph{}, err
		}
		all.Jobs = replaceByName(all.Jobs, graph.Jobs, func(j jenkins.Job) string { return j.Name })
		all.Views = replaceByName(all.Views, graph.Views, func(v jenkins.View) string { return v.Name })
	}
	return all, nil
}

func replaceByName[T any](all, more []T, name func(T) string) []T {
	for _, added := range more {
		same := func(other T) bool { return strings.EqualFold(name(other), name(added)) }
		if i := slices.IndexFunc(all, same); i >= 0 {
			all[i] = added
		} else {
			all = append(all, added)
		}
	}
	return all
}

// Where Jenkins and xtci's own image have what is theirs.
const (
	ownPrefix = "/var/lib/xtci"
	jenkinsIs = "jenkins" // below stack.prefix: the home of Jenkins
)

// jobOptions say what is around the jobs of a site.
func (a *app) jobOptions(site config.Site) (jenkins.Options, error) {
	inside, err := site.Inside()
	if err != nil {
		return jenkins.Options{}, err
	}
	outside, err := site.Outside()
	if err != nil {
		return jenkins.Options{}, err
	}
	public, err := site.Public()
	if err != nil {
		return jenkins.Options{}, err
	}
	prefix, err := filepath.Abs(site.Stack.Prefix)
	if err != nil {
		return jenkins.Options{}, fmt.Errorf("stack.prefix: %w", err)
	}
	o := jenkins.Options{
		Classic: site.Wiring == config.WiringClassic && site.Archive.By == config.ArchiveByContainer,
		Owner:   site.Stack.Name, Network: site.Stack.Name, Workspace: site.Jobs.Workspace,
		Services: services(site, inside, public), Host: services(site, outside, public),
		StopOnFailure: site.Failure == config.FailureStop, Jobs: site.Jobs,
	}
	if site.Wiring == config.WiringClassic {
		o.Network = "bridge"
	}
	if o.Workspace == "" {
		if site.Stack.Jenkins.External.URL != "" {
			return jenkins.Options{}, usage(errors.New("jobs.workspace: name the folder in which that Jenkins has its workspaces, as its Docker host sees it"))
		}
		o.Workspace = filepath.Join(prefix, jenkinsIs, "workspace")
	}
	if o.Archive, err = a.jobArchive(site, prefix); err != nil {
		return jenkins.Options{}, err
	}
	return o, nil
}

// services are those of the site, by the endpoints as somebody reaches them.
func services(site config.Site, e, people config.Endpoints) jenkins.Services {
	minio := site.Stack.Minio
	bucket := "s3://" + minio.Bucket
	if minio.Folder != "" {
		bucket += "/" + minio.Folder
	}
	s := jenkins.Services{
		S3: e.S3, Bucket: bucket, Files: people.Files,
		AccessKey: minio.JobsAccessKey, SecretKey: minio.JobsSecretKey, KeysFile: site.Jobs.KeysFile,
	}
	// Only the stack's own Jenkins has that file, and its agents do not.
	if s.KeysFile == "" && s.AccessKey != "" && site.Stack.Jenkins.Enabled && site.Stack.Jenkins.External.URL == "" && !site.Jobs.UseNode {
		s.KeysFile = installer.JobsKeysFile
	}
	if e.TestDB != "" {
		s.TestDB, s.TestDBX = e.TestDB+"/api/v1", people.TestDB+"/api/v1"
	}
	return s
}

// jobArchive says how the archive is made.
func (a *app) jobArchive(site config.Site, prefix string) (jenkins.Archive, error) {
	if site.Archive.By == config.ArchiveByContainer {
		return jenkins.Archive{ByContainer: true}, nil
	}
	image := site.Archive.Image
	if image == "" {
		own, err := a.ownImage()
		if err != nil {
			return jenkins.Archive{}, fmt.Errorf("%w, or name an image: --set archive.image=IMAGE", err)
		}
		image = own.Ref()
	}
	return jenkins.Archive{
		Image: image, User: strconv.Itoa(os.Getuid()) + ":" + strconv.Itoa(os.Getgid()),
		Args:    []string{"--set", "project=" + site.Project, "--set", "release=" + site.Release, "--set", "stack.prefix=" + ownPrefix},
		Volumes: []string{filepath.Join(prefix, "keys") + ":" + ownPrefix + "/keys"},
	}, nil
}
