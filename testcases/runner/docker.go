package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/testcases"
)

// ContainerEngine is what the Docker executor needs of an engine.
type ContainerEngine interface {
	Image(ctx context.Context, ref string) (docker.Image, error)
	Create(ctx context.Context, c docker.Container) (id string, err error)
	Start(ctx context.Context, id string) error
	Stop(ctx context.Context, id string, grace time.Duration) error
	Remove(ctx context.Context, id string, force bool) error
	Wait(ctx context.Context, id string) (docker.Exit, error)
	Logs(ctx context.Context, id string, o docker.LogOptions) error
	Containers(ctx context.Context, labels map[string]string) ([]docker.ContainerState, error)
}

// Records are read where containers push them to: testdb.Client reads
// them.
type Records interface {
	Results(ctx context.Context, buildTag string) iter.Seq2[testcases.Record, error]
}

// Services are where a container's results go, as it reaches them
// (spec/jobs.md). Without an S3 endpoint it publishes nothing: its files are
// taken from its results folder in any case.
type Services struct {
	TestDB   string // .../api/v1/results
	TestDBX  string // the same, as people reach it
	S3       string // http://HOST:PORT
	Bucket   string // s3://BUCKET
	Files    string // where the bucket is downloaded from
	S3Key    string
	S3Secret string
}

// Docker is an executor that runs each job's container on a Docker Engine, as
// Xtesting CI's jobs do (spec/jobs.md).
type Docker struct {
	Engine   ContainerEngine
	Records  Records
	Services Services
	// Network is that of jobs which name none.
	Network string
	// Pod is the name of the lab in results, NODE_NAME.
	Pod string
	// Folder is the folder of the host under which containers leave results.
	Folder string
	// Progress, if not nil, is told how far running e2e cases are. It may be
	// called by several goroutines at once.
	Progress func(job testcases.Job, live Live)
	// Waiting, if not nil, is told what of the toolchain does not answer and
	// is waited for. It may be called by several goroutines at once.
	Waiting func(job testcases.Job, why error)
}

// Labels of the containers of campaigns.
const (
	LabelCampaign = "io.xtci.campaign"
	LabelJob      = "io.xtci.job"
)

const (
	// containerResults is where containers of Xtesting leave results
	// (spec/testapi-xtesting.md, b.5).
	containerResults = "/var/lib/xtesting/results"
	// jobGrace is how long a container may take to stop. As process 1, that of
	// functest-kubernetes does not hear SIGTERM: more would be waiting in vain.
	jobGrace = 10 * time.Second
	// afterTime is how long it may take to look at what a container left.
	afterTime = 2 * time.Minute
)

// A ContainerRun is how a container was run: xtci-run.json.
type ContainerRun struct {
	Image     string    `json:"image"`
	ImageID   string    `json:"image_id"`
	Digest    string    `json:"digest,omitempty"` // the registry's
	Started   time.Time `json:"started"`
	Stopped   time.Time `json:"stopped"`
	ExitCode  int       `json:"exit_code"`
	OOMKilled bool      `json:"oom_killed,omitempty"`
	TimedOut  bool      `json:"timed_out,omitempty"`
	Error     string    `json:"error,omitempty"`
}

var errTimedOut = errors.New("its time is over")

// Execute implements Executor.
func (d *Docker) Execute(ctx context.Context, job testcases.Job, build Build) (Result, error) {
	labels := map[string]string{LabelCampaign: build.Tag, LabelJob: job.Name}
	if err := d.askEngine(ctx, job, func() error { return d.removeLeft(ctx, labels) }); err != nil {
		return Result{}, err
	}
	image, err := d.Engine.Image(ctx, job.Container.Image)
	if err != nil {
		return Result{}, fmt.Errorf("its image: %w", err)
	}
	folder := d.folder(job, build)
	for earlier := 1; earlier < build.Number; earlier++ { // of runs that were interrupted
		_ = os.RemoveAll(d.folder(job, Build{build.Tag, earlier})) // what may not be removed stays
	}
	if err := makeResults(folder, job.Container.UID, job.Container.GID); err != nil {
		return Result{}, err
	}
	before, err := d.pushed(ctx, job, build.Tag)
	if err != nil {
		return Result{}, err
	}
	run := ContainerRun{Image: job.Container.Image, ImageID: image.ID}
	if len(image.RepoDigests) > 0 {
		run.Digest = image.RepoDigests[0]
	}
	id, err := d.run(ctx, job, build, folder, labels, &run)
	if id == "" {
		return Result{}, errors.Join(err, os.RemoveAll(folder))
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterTime+awayTime)
	defer cancel()
	if context.Cause(ctx) != nil { // it is run again
		return Result{}, errors.Join(err, d.Engine.Remove(after, id, true), os.RemoveAll(folder))
	}
	var result Result
	if err == nil {
		result, err = d.collect(after, job, build, folder, id, run, before)
	} else { // the engine went away
		result, _ = filesOf(folder) // there is an error already
	}
	removeErr := d.askEngine(after, job, func() error { return d.Engine.Remove(after, id, true) })
	if removeErr != nil && !errors.Is(removeErr, docker.ErrNotFound) && result.Detail == "" {
		result.Detail = removeErr.Error()
	}
	return result, err
}

// askEngine asks an engine for what may be asked twice. One that does not
// answer is waited for.
func (d *Docker) askEngine(ctx context.Context, job testcases.Job, ask func() error) error {
	away := patience{tell: d.telling(job)}
	return away.try(ctx, func(err error) bool { return errors.Is(err, docker.ErrUnavailable) }, ask)
}

// removeLeft removes containers of the job that an earlier process left when
// it was killed.
func (d *Docker) removeLeft(ctx context.Context, labels map[string]string) error {
	left, err := d.Engine.Containers(ctx, labels)
	if err != nil {
		return err
	}
	for _, container := range left {
		if err := d.Engine.Remove(ctx, container.ID, true); err != nil && !errors.Is(err, docker.ErrNotFound) {
			return fmt.Errorf("remove what is left of an earlier run: %w", err)
		}
	}
	return nil
}

// folder is where the container of a build leaves results.
func (d *Docker) folder(job testcases.Job, build Build) string {
	return filepath.Join(d.Folder, filepath.FromSlash(build.Folder(job)))
}

// makeResults makes an empty folder for a container to leave results in.
func makeResults(folder string, uid, gid int) error {
	err := os.RemoveAll(folder)
	if err == nil {
		err = os.MkdirAll(folder, 0o755)
	}
	if err == nil && os.Geteuid() == 0 {
		err = os.Chown(folder, uid, gid)
	} else if err == nil {
		err = os.Chmod(folder, 0o777) //nolint:gosec // the container's user is not known, and the folder above is the lab's
	}
	if err != nil {
		return fmt.Errorf("make the folder for results: %w", err)
	}
	return nil
}

// run runs the container until it ends, its time is over, or ctx ends. It
// returns the container's id once there is one.
func (d *Docker) run(ctx context.Context, job testcases.Job, build Build, folder string, labels map[string]string, run *ContainerRun) (id string, err error) {
	container, err := d.container(job, build, folder)
	if err != nil {
		return "", err
	}
	container.Labels = labels
	if id, err = d.Engine.Create(ctx, container); err != nil {
		return "", err
	}
	timed, cancel := ctx, context.CancelFunc(func() {})
	if job.Timeout > 0 {
		timed, cancel = context.WithTimeoutCause(ctx, job.Timeout, errTimedOut)
	}
	defer cancel()
	run.Started = time.Now().UTC()
	if err := d.Engine.Start(ctx, id); err != nil {
		return id, err
	}
	var watching sync.WaitGroup
	watched, stop := context.WithCancel(timed)
	watching.Go(func() { d.watch(watched, job, folder) })
	exit, err := d.wait(timed, job, id)
	stop()
	watching.Wait()
	if cause := context.Cause(timed); err != nil && cause != nil {
		stopping, done := context.WithTimeout(context.WithoutCancel(ctx), jobGrace+afterTime)
		defer done()
		if stopErr := d.Engine.Stop(stopping, id, jobGrace); stopErr != nil {
			return id, errors.Join(cause, stopErr)
		}
		if !errors.Is(cause, errTimedOut) {
			return id, cause
		}
		run.TimedOut = true
		exit, err = d.Engine.Wait(stopping, id)
	}
	run.Stopped = time.Now().UTC()
	run.ExitCode, run.OOMKilled, run.Error = exit.Code, exit.OOMKilled, exit.Error
	return id, err
}

// wait waits for a container's end. An engine that goes away meanwhile is
// waited for: it may keep its containers, or ends them.
func (d *Docker) wait(ctx context.Context, job testcases.Job, id string) (docker.Exit, error) {
	away, was := patience{tell: d.telling(job)}, false
	for {
		asked := time.Now()
		exit, err := d.Engine.Wait(ctx, id)
		if time.Since(asked) > 2*awayPoll { // it was there
			away.since = time.Time{}
		}
		if err == nil && !was && wasKilled(exit) && d.leaves(ctx, id) {
			was = true
			continue
		}
		if errors.Is(err, docker.ErrUnavailable) && context.Cause(ctx) == nil {
			was = true
			if away.wait(ctx, err) {
				continue
			}
		}
		if err == nil && was && exit.Code != exitPassed && exit.Code != exitFailed {
			err = fmt.Errorf("Docker went away while it ran, and ended it (exit code %d)", exit.Code)
		}
		return exit, err
	}
}

// wasKilled says that a container was ended by a signal with which engines end
// containers.
func wasKilled(exit docker.Exit) bool {
	const killed, terminated = 128 + 9, 128 + 15
	return !exit.OOMKilled && (exit.Code == killed || exit.Code == terminated)
}

// leaveTime is how long an engine that is on its way down may answer once it
// has ended its containers.
const leaveTime = 5 * time.Second

// leaves says whether the engine goes away: on its way down it ends containers
// first, and answers meanwhile.
func (d *Docker) leaves(ctx context.Context, id string) bool {
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	look := time.NewTicker(leaveTime / 50)
	defer look.Stop()
	for {
		if _, err := d.Engine.Wait(ctx, id); errors.Is(err, docker.ErrUnavailable) {
			return context.Cause(ctx) == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-look.C:
		}
	}
}

// telling tells whoever wants to know what is waited for.
func (d *Docker) telling(job testcases.Job) func(error) {
	return func(why error) {
		if d.Waiting != nil {
			d.Waiting(job, why)
		}
	}
}

// container is how a job's container is started (spec/jobs.md, what a test
// job starts).
func (d *Docker) container(job testcases.Job, build Build, folder string) (docker.Container, error) {
	planned := job.Container
	env := map[string]string{}
	for _, variable := range slices.Concat(planned.Env, planned.Fixed) {
		env[variable.Name] = variable.Value
	}
	command := []string{"run_tests", "-t", job.Case.Name}
	s := d.Services
	if s.S3 != "" {
		where := "/" + build.Folder(job)
		env["S3_ENDPOINT_URL"], env["S3_DST_URL"], env["HTTP_DST_URL"] = s.S3, s.Bucket+where, s.Files+where
		env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = s.S3Key, s.S3Secret
		command = append(command, "-p")
	}
	env["TEST_DB_URL"], env["TEST_DB_EXT_URL"] = s.TestDB, s.TestDBX
	env["NODE_NAME"], env["BUILD_TAG"] = d.Pod, build.Tag
	command = append(command, "-r")
	c := docker.Container{
		Image: planned.Image, Command: command, Privileged: planned.Privileged, Network: planned.Network,
		Memory: planned.Memory, CPUs: planned.CPUs,
		Mounts: []docker.Mount{{Source: folder, Target: containerResults}},
	}
	if c.Network == "" {
		c.Network = d.Network
	}
	for name, value := range env {
		c.Env = append(c.Env, name+"="+value)
	}
	slices.Sort(c.Env)
	for _, volume := range planned.Volumes {
		source, rest, _ := strings.Cut(volume, ":")
		target, mode, _ := strings.Cut(rest, ":")
		if _, err := os.Stat(source); err != nil {
			return c, fmt.Errorf("its volume %s: %w", volume, err)
		}
		c.Mounts = append(c.Mounts, docker.Mount{Source: source, Target: target, ReadOnly: slices.Contains(strings.Split(mode, ","), "ro")})
	}
	for _, published := range planned.Ports {
		port, err := parsePort(published)
		if err != nil {
			return c, err
		}
		c.Ports = append(c.Ports, port)
	}
	return c, nil
}

// parsePort reads HOST:CONTAINER.
func parsePort(text string) (docker.Port, error) {
	host, container, ok := strings.Cut(text, ":")
	h, hostErr := strconv.Atoi(host)
	c, containerErr := strconv.Atoi(strings.TrimSuffix(container, "/tcp"))
	if !ok || hostErr != nil || containerErr != nil {
		return docker.Port{}, fmt.Errorf("published port %q: want HOST:CONTAINER", text)
	}
	return docker.Port{Host: h, Container: c}, nil
}

// filesOf is the result of a folder of which nothing else is known.
func filesOf(folder string) (result Result, err error) {
	result.Release = func() error { return os.RemoveAll(folder) }
	result.Files, err = leftFiles(folder)
	return result, err
}

// collect takes what an ended container left. With an error there is less in
// the result than there should be.
func (d *Docker) collect(ctx context.Context, job testcases.Job, build Build, folder, id string, run ContainerRun, before map[string]bool) (Result, error) {
	result, err := filesOf(folder)
	result.Detail = run.failure(job)
	text, jsonErr := json.MarshalIndent(run, "", " ")
	if err = errors.Join(err, jsonErr); err != nil {
		return result, err
	}
	result.Files = append(result.Files, File{Name: testcases.RunFile, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(text)), nil
	}})
	var console *os.File
	err = d.askEngine(ctx, job, func() (err error) {
		console, err = d.console(ctx, id)
		return err
	})
	if err != nil {
		return result, fmt.Errorf("its console: %w", err)
	}
	result.Release = func() error { return errors.Join(console.Close(), os.RemoveAll(folder)) }
	result.Files = append(result.Files, File{Name: testcases.ConsoleFile, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(console, 0, math.MaxInt64)), nil
	}})
	result.Record, err = d.record(ctx, job, build, before)
	if err != nil {
		return result, fmt.Errorf("its record: %w", err)
	}
	if result.Record == nil && result.Detail == "" { // whatever it found, it could not say so
		result.Detail = fmt.Sprintf("it ended (exit code %d), but no record of it reached the test DB: %s says why", run.ExitCode, testcases.ConsoleFile)
	}
	return result, nil
}

// console puts what a container said into a temporary file: its folder may be
// the container's user's. The file has no name any more: it goes with this
// process, however that ends. The key of the store is not for reviewers.
func (d *Docker) console(ctx context.Context, id string) (*os.File, error) {
	console, err := os.CreateTemp("", "xtci-console-")
	if err != nil {
		return nil, err
	}
	err = os.Remove(console.Name())
	if err == nil {
		said := &maskWriter{to: console, secret: []byte(d.Services.S3Secret)}
		err = errors.Join(d.Engine.Logs(ctx, id, docker.LogOptions{Stdout: said, Stderr: said}), said.flush())
	}
	if err != nil {
		return nil, errors.Join(err, console.Close())
	}
	return console, nil
}

// Exit codes of Xtesting's containers (spec/testapi-xtesting.md, b.1).
const (
	exitPassed   = 0
	exitFailed   = 255
	exitSoftware = 70 // it could not write or push its results
)

// failure says in which way the container itself failed, as apart from the
// test in it: Xtesting ends with 0 or 255 (spec/testapi-xtesting.md, b.1).
func (r ContainerRun) failure(job testcases.Job) string {
	switch {
	case r.TimedOut:
		return fmt.Sprintf("stopped after its timeout of %s", job.Timeout)
	case r.OOMKilled:
		return "its container ran out of memory"
	case r.ExitCode == exitSoftware:
		return "its container could not write its results (exit code 70)"
	case r.ExitCode == 125, r.ExitCode == 126, r.ExitCode == 127:
		return fmt.Sprintf("its container could not be started (exit code %d): its image has no run_tests?", r.ExitCode)
	case r.ExitCode != exitPassed && r.ExitCode != exitFailed:
		return fmt.Sprintf("its container was killed or crashed (exit code %d)", r.ExitCode)
	}
	return r.Error
}

// leftFiles lists what a container left. Links and other things that are no
// regular files are not followed: what they lead to is not the container's.
// What cannot be taken is listed, too, and says why when it is opened.
func leftFiles(folder string) ([]File, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var files []File
	err = fs.WalkDir(root.FS(), ".", func(at string, entry fs.DirEntry, err error) error {
		file := File{Name: at, Open: func() (io.ReadCloser, error) { return openIn(folder, at) }}
		if err == nil && !entry.Type().IsRegular() {
			return nil
		}
		if err == nil {
			err = takes(at, entry)
		}
		if err != nil {
			file.Open = func() (io.ReadCloser, error) { return nil, err }
		}
		files = append(files, file)
		return nil
	})
	return files, err
}

// maxLeftFile is the largest file that is taken: that of the archive could not
// be reviewed as others are.
const maxLeftFile = 8 << 30

// takes says why a file that a container left is not taken.
func takes(at string, entry fs.DirEntry) error {
	if top, _, _ := strings.Cut(at, "/"); slices.Contains([]string{testcases.RunFile, testcases.ConsoleFile, testcases.LeftOutFile}, top) {
		return errors.New("xtci keeps a file of its own under that name")
	}
	info, err := entry.Info()
	if err == nil && info.Size() > maxLeftFile {
		err = fmt.Errorf("it has %d bytes, more than %d", info.Size(), int64(maxLeftFile))
	}
	return err
}

// openIn opens a file below a folder, and nothing outside of it.
func openIn(folder, name string) (io.ReadCloser, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(name)
}

// pushed are the ids of the records of a case that there are by now.
func (d *Docker) pushed(ctx context.Context, job testcases.Job, tag string) (map[string]bool, error) {
	records, err := d.recordsOf(ctx, job, tag)
	ids := map[string]bool{}
	for _, record := range records {
		ids[record.ID] = true
	}
	return ids, err
}

// record is the newest one that was pushed of the case since the run began,
// or nil. A container pushes one: of several that contradict each other none
// is taken.
func (d *Docker) record(ctx context.Context, job testcases.Job, build Build, before map[string]bool) (*testcases.Record, error) {
	records, err := d.recordsOf(ctx, job, build.Tag)
	var newest *testcases.Record
	for _, record := range slices.Backward(records) {
		switch {
		case before[record.ID]:
		case newest == nil:
			newest = &record
		case record.Criteria != newest.Criteria:
			return nil, fmt.Errorf("the test DB has two of this run, %s says %q and %s %q: somebody else pushed one", record.ID, record.Criteria, newest.ID, newest.Criteria)
		}
	}
	return newest, err
}

// recordsOf are the records of a case in a campaign, the oldest first. A test
// DB that does not answer is waited for.
func (d *Docker) recordsOf(ctx context.Context, job testcases.Job, tag string) (records []testcases.Record, err error) {
	away := patience{tell: d.telling(job)}
	err = away.try(ctx, func(error) bool { return true }, func() (err error) {
		records, err = d.askRecords(ctx, job.Case.Name, tag)
		return err
	})
	return records, err
}

func (d *Docker) askRecords(ctx context.Context, name, tag string) (records []testcases.Record, err error) {
	for record, err := range d.Records.Results(ctx, tag) {
		if err != nil {
			return nil, err
		}
		if record.CaseName == name {
			records = append(records, record)
		}
	}
	return records, nil
}
