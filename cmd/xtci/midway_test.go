package main

import (
	"archive/zip"
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/internal/cluster"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/runner"
	"github.com/anuket-project/xtci/testcases/runner/functeststandin/standintest"
)

// A midway is a campaign to which something happens on its way. Its cases do
// what the test tells them to: those that wait end when goOn is called.
type midway struct {
	*otherHost
	engine *docker.Engine
	tag    string
	cases  []string // that wait
	dial   func(ctx context.Context, network, address string) (net.Conn, error)

	cmd    *exec.Cmd
	errs   *output
	events chan happening
	ended  []happening // runs of cases, of all commands
}

// A happening is a line that the campaign said.
type happening struct {
	Event, Case, Job, State, Detail, Results string
	Verdict, Archive                         string
	Build                                    int
	Again                                    bool
	Jobs                                     endedJobs
	Missing                                  []string
}

func newMidway(t *testing.T, h *host, waiting ...string) *midway {
	t.Helper()
	return &midway{
		otherHost: &otherHost{h, exec.CommandContext}, engine: dockertest.Connect(t), tag: uniqueTag(t),
		cases: waiting, dial: new(net.Dialer).DialContext,
	}
}

// xtci runs a command that is not the campaign.
func (m *midway) xtci(code int, args ...string) (out, errs string) {
	m.t.Helper()
	return m.run(code, append(args, "--config", m.config)...)
}

// begin starts the campaign, or goes on with it.
func (m *midway) begin(args ...string) {
	m.t.Helper()
	args = append([]string{"run", "--tag", m.tag, "-o", "json", "--config", m.config, "--set", "env.FUNCTEST_STANDIN_PASS=all"}, args...)
	m.cmd = m.program(m.t.Context(), m.binary, append(args, "--set", "env.FUNCTEST_STANDIN_WAIT="+strings.Join(m.cases, ","))...)
	m.errs, m.events = &output{}, make(chan happening)
	m.cmd.Env, m.cmd.Dir, m.cmd.Stderr = m.environ, m.t.TempDir(), m.errs
	out, err := m.cmd.StdoutPipe()
	if err == nil {
		err = m.cmd.Start()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	go hear(m.t.Context(), out, m.events)
}

// hear passes on what a campaign says, until it ends.
func hear(ctx context.Context, out io.Reader, events chan<- happening) {
	defer close(events)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var event happening
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			event.Detail = fmt.Sprintf("the line %.200q: %v", lines.Bytes(), err)
		}
		select {
		case events <- event:
		case <-ctx.Done():
			return
		}
	}
}

// midwayTime is how long something may take that a campaign does.
const midwayTime = 2 * time.Minute

// await waits until the campaign says something.
func (m *midway) await(what string, is func(happening) bool) happening {
	m.t.Helper()
	late := time.After(midwayTime)
	for {
		select {
		case event, more := <-m.events:
			if !more {
				m.t.Fatalf("%s: it ended before: %s", what, m.errs)
			}
			if event.Event == "case" && event.State != "running" {
				m.ended = append(m.ended, event)
			}
			if is(event) {
				return event
			}
		case <-late:
			m.t.Fatalf("%s: not within %s: %s", what, midwayTime, m.errs)
		}
	}
}

func (m *midway) awaitCase(name, state string) happening {
	m.t.Helper()
	return m.await(name+" is "+state, func(e happening) bool { return e.Event == "case" && e.Case == name && e.State == state })
}

// awaitWaiting waits until the campaign says that it waits for something.
func (m *midway) awaitWaiting(name, detail string) {
	m.t.Helper()
	event := m.await("it is waited for what "+name+" needs", func(e happening) bool { return e.Event == "waiting" && e.Case == name })
	if !strings.Contains(event.Detail, detail) {
		m.t.Errorf("%s waits, and does not say %q: %s", name, detail, event.Detail)
	}
}

// end waits for the end of the campaign, which is to have that exit code.
func (m *midway) end(code int) happening {
	m.t.Helper()
	end := m.await("the end", func(e happening) bool { return e.Event == "end" })
	m.exits(code)
	return end
}

// exits waits until the command has ended.
func (m *midway) exits(code int) {
	m.t.Helper()
	for event := range m.events {
		m.t.Logf("besides: %+v", event)
	}
	_ = m.cmd.Wait() // its exit code tells
	if got := m.cmd.ProcessState.ExitCode(); got != code {
		m.t.Fatalf("the campaign exits %d, want %d: %s", got, code, m.errs)
	}
}

func (m *midway) interrupt() {
	m.t.Helper()
	if err := m.cmd.Process.Signal(syscall.SIGINT); err != nil {
		m.t.Fatal(err)
	}
}

// container waits until a run of a case is in a container that runs.
func (m *midway) container(of happening) (id string) {
	m.t.Helper()
	dockertest.Until(m.t, midwayTime, of.Case+" runs", func(ctx context.Context) error {
		found, err := m.engine.Containers(ctx, map[string]string{runner.LabelCampaign: m.tag, runner.LabelJob: of.Job})
		if err != nil {
			return err
		}
		for _, c := range found {
			if c.Running() {
				id = c.ID
				return nil
			}
		}
		return fmt.Errorf("%d containers, none runs", len(found))
	})
	return id
}

// begun waits until a case has begun.
func (m *midway) begun(name string) happening {
	m.t.Helper()
	event := m.awaitCase(name, "running")
	m.container(event)
	return event
}

// goOn lets a case go on that waits.
func (m *midway) goOn(of happening) {
	m.t.Helper()
	file := filepath.Join(m.prefix, "campaigns", "results", m.tag, fmt.Sprintf("%s-%d", of.Job, of.Build), "go-on")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// service is the container of a service of the stack.
func (m *midway) service(name string) (id string) {
	m.t.Helper()
	found, err := m.engine.Containers(m.t.Context(), map[string]string{"io.xtci.stack": m.stackName(), "io.xtci.service": name})
	if err != nil || len(found) != 1 {
		m.t.Fatalf("the container of %s: %v, %v", name, found, err)
	}
	return found[0].ID
}

func (m *midway) setting(name string) string {
	a := &app{environ: m.environ}
	return a.getenv(name)
}

func (m *midway) stackName() string { return m.setting("XTCI_STACK_NAME") }

func (m *midway) stop(service string) {
	m.t.Helper()
	if err := m.engine.Stop(m.t.Context(), m.service(service), 10*time.Second); err != nil {
		m.t.Fatal(err)
	}
}

// mended wants that up brings everything back.
func (m *midway) mended() {
	m.t.Helper()
	m.xtci(0, "up")
	m.xtci(0, "status")
}

// client reaches what the stack publishes.
func (m *midway) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: m.dial, DisableKeepAlives: true}}
}

// fetch gets the archive at a link.
func (m *midway) fetch(link string) string {
	m.t.Helper()
	request, err := http.NewRequestWithContext(m.t.Context(), http.MethodGet, link, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	answer, err := m.client().Do(request)
	if err != nil {
		m.t.Fatal(err)
	}
	defer answer.Body.Close()
	file, err := os.Create(filepath.Join(m.t.TempDir(), "campaign.zip"))
	if err != nil {
		m.t.Fatal(err)
	}
	_, err = io.Copy(file, answer.Body)
	if err = errors.Join(err, file.Close()); err != nil || answer.StatusCode != http.StatusOK {
		m.t.Fatalf("%s: %s %v", link, answer.Status, err)
	}
	return file.Name()
}

// nothingLost wants everything in the archive that somebody was told is kept:
// records that the test DB has taken, the files that they link to, and what
// cases left of which the campaign said that they ended.
func (m *midway) nothingLost(archive string) {
	m.t.Helper()
	z, err := zip.OpenReader(archive)
	if err != nil {
		m.t.Fatal(err)
	}
	defer z.Close()
	has := map[string]bool{}
	for _, file := range z.File {
		has[file.Name] = true
	}
	indexed := m.indexed(z)
	kept := m.keptRecords()
	if len(indexed) != len(kept) {
		m.t.Errorf("the archive has %d records, the test DB %d", len(indexed), len(kept))
	}
	for _, record := range kept {
		if !indexed[record.ID] {
			m.t.Errorf("the record %s of %s is lost", record.ID, record.CaseName)
		}
		var details struct{ Links []string }
		_ = json.Unmarshal(record.Details, &details) // which are free
		for _, link := range details.Links {
			_, name, _ := strings.Cut(link, "/"+m.tag+"/")
			if name, err = url.PathUnescape(name); err != nil || !has[m.tag+"/"+name] {
				m.t.Errorf("the file at %s is lost (%v)", link, err)
			}
		}
	}
	for _, run := range m.ended {
		if run.State == "not run" {
			continue
		}
		for _, name := range []string{testcases.RunFile, testcases.ConsoleFile, "functest-kubernetes.log"} {
			if name = fmt.Sprintf("%s/%s-%d/%s", m.tag, run.Job, run.Build, name); !has[name] {
				m.t.Errorf("%s is lost", name)
			}
		}
	}
}

// indexed are the ids of the records that an archive has.
func (m *midway) indexed(z *zip.ReadCloser) map[string]bool {
	m.t.Helper()
	file, err := z.Open(artifacts.IndexName(m.tag))
	if err != nil {
		m.t.Fatal(err)
	}
	defer file.Close()
	var index artifacts.Index
	if err := json.NewDecoder(file).Decode(&index); err != nil {
		m.t.Fatal(err)
	}
	ids := map[string]bool{}
	for i := range index.Results {
		ids[index.Results[i].ID] = true
	}
	return ids
}

// keptRecords are those of the campaign that the test DB has.
func (m *midway) keptRecords() (records []testcases.Record) {
	m.t.Helper()
	client, err := testdb.NewClient("http://127.0.0.1:"+m.setting("XTCI_STACK_TESTDB_PORT")+"/api/v1/results", testdb.ClientOptions{Transport: m.client().Transport})
	if err != nil {
		m.t.Fatal(err)
	}
	for record, err := range client.Results(m.t.Context(), m.tag) {
		if err != nil {
			m.t.Fatal(err)
		}
		records = append(records, record)
	}
	if len(records) == 0 {
		m.t.Error("the test DB has no record of the campaign")
	}
	return records
}

// judged wants a verdict of the end of a campaign, and the same of a review.
func (m *midway) judged(end happening, verdict string) (review string) {
	m.t.Helper()
	if end.Verdict != verdict {
		m.t.Errorf("the verdict is %q, want %q: %+v\n%s", end.Verdict, verdict, end, m.errs)
	}
	archive := m.fetch(end.Archive)
	m.nothingLost(archive)
	code := exitNo
	if verdict == string(testcases.Conformant) {
		code = exitGood
	}
	out, _ := m.xtci(code, "review", archive, "--key", m.key())
	return out
}

// Each service of the stack goes away while a case runs that needs it, and is
// brought back by up. What a case could not say it says when it is run again.
func TestServicesGoAwayMidway(t *testing.T) {
	t.Parallel()
	m := newMidway(t, newCampaignHost(t), "sig_apps", "sig_auth", "sig_node")
	m.xtci(0, "up")
	m.begin("--retry-failed", "1")

	running := m.begun("sig_apps")
	if err := m.engine.Kill(t.Context(), m.service("testdb"), "SIGKILL"); err != nil {
		t.Fatal(err)
	}
	m.goOn(running)
	m.awaitWaiting("sig_apps", "the test DB does not answer")
	m.mended()
	if ended := m.awaitCase("sig_apps", "failed"); !ended.Again || !strings.Contains(ended.Detail, "no record of it reached the test DB") {
		t.Errorf("without the test DB: %+v", ended)
	}
	m.goOn(m.begun("sig_apps"))
	m.awaitCase("sig_apps", "passed")

	running = m.begun("sig_auth")
	m.stop("minio")
	m.goOn(running)
	m.awaitWaiting("sig_auth", "the object store does not answer")
	m.mended()
	m.awaitCase("sig_auth", "passed")

	running = m.begun("sig_node")
	m.stop("files")
	m.goOn(running)
	m.awaitCase("sig_node", "passed") // it has not to do with files

	end := m.end(0)
	m.xtci(1, "status")
	m.mended()
	if review := m.judged(end, "conformant"); !strings.Contains(review, "it was run 2 times under this build tag") {
		t.Errorf("review:\n%s", review)
	}
	left(t, m.tag)
	m.xtci(0, "down", "--purge", "--yes")
}

// The disk of the object store is full: that is said, and room is waited for.
// Who stops the campaign instead goes on later.
func TestTheObjectStoreIsFullMidway(t *testing.T) {
	t.Parallel()
	m := newMidway(t, newCampaignHost(t), "sig_apps", "sig_auth")
	disk := newSmallDisk(t, filepath.Join(m.prefix, "minio"))
	m.xtci(0, "up")
	m.begin()

	running := m.begun("sig_apps")
	disk.fill()
	m.goOn(running)
	m.awaitWaiting("sig_apps", "its disk is full: make room there")
	m.interrupt()
	m.await("the interrupt is understood", func(e happening) bool { return e.Event == "stopping" })
	m.interrupt()
	m.exits(exitInterrupted)
	if !strings.Contains(m.errs.String(), "--resume --tag "+m.tag) {
		t.Errorf("it does not say how to go on: %s", m.errs)
	}
	disk.makeRoom()

	m.begin("--resume")
	m.goOn(m.begun("sig_apps"))
	running = m.begun("sig_auth")
	disk.fill()
	m.goOn(running)
	m.awaitWaiting("sig_auth", "its disk is full: make room there")
	disk.makeRoom()
	if ended := m.awaitCase("sig_auth", "passed"); ended.Build != 1 {
		t.Errorf("it was run again: %+v", ended)
	}
	m.judged(m.end(0), "conformant")
	left(t, m.tag)
	m.mended()
	m.xtci(0, "down")
}

// A smallDisk is one in memory that can be full.
type smallDisk struct {
	t      *testing.T
	folder string
}

const diskRoom = 512 << 20

func newSmallDisk(t *testing.T, folder string) *smallDisk {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("xtci-test", folder, "tmpfs", 0, fmt.Sprintf("size=%d", diskRoom)); err != nil {
		t.Skipf("NOT TESTED with a full disk: a tmpfs cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil { // a container may have it still
			t.Errorf("unmount %s: %v", folder, err)
		}
	})
	return &smallDisk{t, folder}
}

// fill leaves no room: the disk is as large as what is on it.
func (d *smallDisk) fill() {
	d.t.Helper()
	var now syscall.Statfs_t
	if err := syscall.Statfs(d.folder, &now); err != nil {
		d.t.Fatal(err)
	}
	d.resize(int64(now.Blocks-now.Bfree) * now.Bsize)
}

func (d *smallDisk) makeRoom() { d.t.Helper(); d.resize(diskRoom) }

func (d *smallDisk) resize(size int64) {
	d.t.Helper()
	if err := syscall.Mount("xtci-test", d.folder, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", size)); err != nil {
		d.t.Fatalf("make the disk %d bytes large: %v", size, err)
	}
}

// The engine is restarted while cases run, which ends them: they are run again
// when it is back.
func TestTheEngineIsRestartedMidway(t *testing.T) {
	t.Parallel()
	m := newMidway(t, newCampaignHost(t, "healthcheck"), "k8s_quick", "k8s_smoke")
	own := dockertest.StartEngine(t, dockertest.EngineOptions{})
	m.toEngine(own, "healthcheck")
	m.xtci(0, "up")
	m.begin("--retry-failed", "1")
	running := map[string]happening{}
	for len(running) < 2 {
		event := m.await("both run", func(e happening) bool { return e.Event == "case" && e.State == "running" })
		running[event.Case] = event
		m.container(event)
	}
	own.Restart() // which of what stops then is noticed first, chance decides
	again := 0
	for again < 2 {
		event := m.await("both are run again", func(e happening) bool { return e.Event == "case" })
		switch {
		case event.State == "running":
			m.container(event)
			m.goOn(event)
			again++
		case event.State == "passed":
		case !event.Again:
			t.Errorf("after the restart: %+v", event)
		}
	}
	end := m.end(1)
	if end.Jobs != (endedJobs{Passed: 2}) {
		t.Errorf("jobs: %+v", end.Jobs)
	}
	m.mended()
	m.judged(end, "not conformant") // it is a part
	m.xtci(0, "down", "--purge", "--yes")
}

// toEngine moves the campaign to an engine of its own, which gets the images
// that a tier needs, and to which the cluster under test is brought.
func (m *midway) toEngine(own *dockertest.OwnEngine, tier string) {
	m.t.Helper()
	own.Take(m.engine, m.setting("XTCI_STACK_MINIO_IMAGE"))
	own.Take(m.engine, standintest.Image(m.t, m.engine, tier))
	m.engine = own.Connect()
	m.environ = append(m.environ, "DOCKER_HOST="+own.Host())
	m.program = own.Command
	m.dial = func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		err = own.Inside(func() error {
			conn, err = new(net.Dialer).DialContext(ctx, network, address)
			return err
		})
		return conn, err
	}
	address := m.cluster()
	var listener net.Listener
	err := own.Inside(func() (err error) {
		listener, err = new(net.ListenConfig).Listen(m.t.Context(), "tcp", address)
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	forward(m.t, listener, address)
}

// cluster is the address of the cluster under test.
func (m *midway) cluster() string {
	m.t.Helper()
	site, err := config.Load(config.Options{File: m.config})
	if err != nil {
		m.t.Fatal(err)
	}
	sut, err := cluster.Open(site.Kubeconfig, cluster.Options{})
	if err != nil {
		m.t.Fatal(err)
	}
	server, err := url.Parse(sut.URL())
	if err != nil {
		m.t.Fatal(err)
	}
	return server.Host
}

// forward passes connections on, until the test ends.
func forward(t testing.TB, from net.Listener, to string) {
	t.Helper()
	var passing sync.WaitGroup
	passing.Go(func() {
		for {
			conn, err := from.Accept()
			if err != nil {
				return // it was closed
			}
			passing.Go(func() { pass(t.Context(), conn, to) })
		}
	})
	t.Cleanup(func() {
		_ = from.Close()
		passing.Wait()
	})
}

// pass passes one connection on, until either side or the context ends.
func pass(ctx context.Context, conn net.Conn, to string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer conn.Close()
	other, err := new(net.Dialer).DialContext(ctx, "tcp", to)
	if err != nil {
		return
	}
	defer other.Close()
	stop := context.AfterFunc(ctx, func() { _, _ = conn.Close(), other.Close() })
	defer stop()
	go func() {
		defer cancel()
		_, _ = io.Copy(conn, other) // until one of both is closed
	}()
	_, _ = io.Copy(other, conn)
}

// A container whose network is cut runs on, and its record goes nowhere: it is
// not counted as passed, whatever its exit code says.
func TestTheNetworkIsCutMidway(t *testing.T) {
	t.Parallel()
	command, err := exec.LookPath("docker")
	if err != nil {
		dockertest.Absent(t, "docker", fmt.Errorf("its command cuts networks: %w", err))
	}
	m := newMidway(t, newCampaignHost(t), "sig_auth")
	m.xtci(0, "up")
	m.begin()
	running := m.begun("sig_auth")
	if out, err := exec.CommandContext(t.Context(), command, "network", "disconnect", m.stackName(), m.container(running)).CombinedOutput(); err != nil {
		t.Fatalf("cut the network: %v: %s", err, out)
	}
	m.goOn(running)
	if ended := m.awaitCase("sig_auth", "failed"); !strings.Contains(ended.Detail, "no record of it reached the test DB: xtci-console.log says why") {
		t.Errorf("without a network: %+v", ended)
	}
	if review := m.judged(m.end(1), "not conformant"); !strings.Contains(review, "sig_auth: ") {
		t.Errorf("the review does not say what is missing:\n%s", review)
	}

	m.begin("--resume", "--retry-failed", "1")
	m.goOn(m.begun("sig_auth"))
	m.awaitCase("sig_auth", "passed")
	m.judged(m.end(0), "conformant")
	left(t, m.tag)
	m.mended()
	m.xtci(0, "down", "--purge", "--yes")
}
