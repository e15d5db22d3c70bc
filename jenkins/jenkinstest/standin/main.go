// Command standin is a stand-in for Jenkins in tests of the stack: it serves
// jenkinstest on port 8080, as the container of a real Jenkins would. It is no
// part of the product.
//
// As a Jenkins image does, it takes its configuration from the environment:
//
//	CASC_JENKINS_CONFIG   configuration as code: a file, or a folder of *.yaml.
//	                      It reads jenkins.numExecutors, jenkins.systemMessage,
//	                      jenkins.securityRealm.local.users (id and password)
//	                      and unclassified.location.url, with ${NAME},
//	                      ${NAME:-default} and ${readFile:PATH} in values
//	JENKINS_HOME          its home: /var/jenkins_home
//	JENKINS_OPTS          --prefix=/PATH and --httpPort=PORT are understood
//
// and for tests:
//
//	XTCI_STANDIN_DELAY    how long it is not ready after its start, such as 3s:
//	                      a fifth of it refuses connections, the rest is 503
//	XTCI_STANDIN_QUIET    the quiet period (default 5s, as recorded)
//	XTCI_STANDIN_WITHOUT  plugins that are not there, with commas
//
// Jobs need /bin/sh in the image to run; it serves without.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/anuket-project/xtci/jenkins/jenkinstest"
)

const defaultHome = "/var/jenkins_home"

func main() {
	os.Exit(run()) //nolint:forbidigo // this is a main
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, os.Getenv, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "standin: %v\n", err)
		return 1
	}
	return 0
}

// serve runs until the context is done.
func serve(ctx context.Context, getenv func(string) string, out io.Writer) error {
	o, err := options(getenv)
	if err != nil {
		return err
	}
	server, err := jenkinstest.Start(o) //nolint:contextcheck // it serves until it is closed
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "a stand-in for Jenkins: %s/ (home %s)\n", server.URL, o.Home)
	<-ctx.Done()
	server.Close()
	return nil
}

// options reads the environment.
func options(getenv func(string) string) (jenkinstest.Options, error) {
	o := jenkinstest.Options{
		Addr: "0.0.0.0:8080", Home: defaultHome, QuietPeriod: jenkinstest.RecordedQuietPeriod, Executors: jenkinstest.RecordedExecutors,
	}
	if home := getenv("JENKINS_HOME"); home != "" {
		o.Home = home
	}
	for _, word := range strings.Fields(getenv("JENKINS_OPTS")) {
		if prefix, ok := strings.CutPrefix(word, "--prefix="); ok {
			o.Prefix = strings.TrimSuffix(prefix, "/")
		}
		if port, ok := strings.CutPrefix(word, "--httpPort="); ok {
			o.Addr = "0.0.0.0:" + port
		}
	}
	for name, set := range map[string]func(time.Duration){
		"XTCI_STANDIN_DELAY": func(d time.Duration) { o.Refused, o.NotReady = d/5, d-d/5 },
		"XTCI_STANDIN_QUIET": func(d time.Duration) { o.QuietPeriod = d },
	} {
		value := getenv(name)
		if value == "" {
			continue
		}
		d, err := time.ParseDuration(value)
		if err != nil {
			return o, fmt.Errorf("%s: %w", name, err)
		}
		set(d)
	}
	if without := getenv("XTCI_STANDIN_WITHOUT"); without != "" {
		o.Plugins = jenkinstest.PluginsWithout(strings.Split(without, ",")...)
	}
	if path := getenv("CASC_JENKINS_CONFIG"); path != "" {
		if err := configure(&o, path, getenv); err != nil {
			return o, fmt.Errorf("CASC_JENKINS_CONFIG: %w", err)
		}
	}
	return o, nil
}
