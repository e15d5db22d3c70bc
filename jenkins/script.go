package jenkins

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/testcases"
)

// notRun is the exit status of a job that does not run because a phase before
// it failed: its build is unstable then, neither passed nor failed.
const notRun = 75

// stopGrace is how many seconds a container has to end before it is killed.
const stopGrace = 30

// script is what the templates are given.
type script struct {
	Title     string
	Owner     word
	Image     word
	ImageText string // for a sentence between double quotes
	Inspect   word   // the template of docker image inspect
	UID, GID  int

	// Phase is the number of the job's phase if its failure matters to later
	// ones, Earlier are those whose failure matters to it.
	Phase   int
	Earlier []int
	NotRun  int
	Archive bool // the script makes the archive, and ends the campaign

	Case      word
	Workspace word // of all jobs
	Host      bool // the script needs to know where this one is

	Exports  []string // lines that set variables
	Docker   []string // arguments, a line each
	Command  string
	Connect  word   // a network to connect to besides
	Redirect string // of the container's output
	Grace    int

	Timeout     int64 // seconds; 0 for none
	TimeoutText string
	ByContainer bool
}

// inspect is the template with which docker says which image it is.
func inspect(image string) word {
	return quote(`{"image":"` + image + `","id":{{json .Id}},"digests":{{json .RepoDigests}}}`)
}

func (b *builder) script(title, image string) script {
	return script{
		Title: title, Owner: quote(b.options.Owner), Image: quote(image), ImageText: image, Inspect: inspect(image),
		NotRun: notRun, Grace: stopGrace, Workspace: expand(b.options.Workspace),
	}
}

// add appends a job with a script.
func (b *builder) add(job Job, template string, data script) {
	text, err := b.shell.render(template, data)
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("job %s: %w", job.Name, err)
	}
	job.Kind, job.Shell = KindFreestyle, &Shell{Script: text}
	if len(data.Earlier) > 0 {
		job.Shell.Unstable = notRun
	}
	b.jobs = append(b.jobs, job)
}

// phases adds the jobs of all suites.
func (b *builder) phases() {
	for _, phase := range slices.Concat(b.plan.Phases, b.plan.Spare) {
		if !b.options.Jobs.Offline {
			b.images(phase)
		}
		for _, job := range phase.Jobs {
			if b.options.Classic {
				b.classicTest(job)
			} else {
				b.test(job)
			}
		}
	}
}

// images adds the jobs that remove and pull a suite's image.
func (b *builder) images(phase testcases.PlanPhase) {
	parameters := b.parameters(phase.Node, nil, false)
	remove := Job{Name: phase.Remove, Description: b.description("Removes " + phase.Image), Parameters: parameters}
	pull := Job{Name: phase.Pull, Description: b.description("Pulls " + phase.Image), Parameters: parameters}
	removing := b.script("Removes "+phase.Image+".", phase.Image)
	pulling := b.script("Pulls "+phase.Image+".", phase.Image)
	if b.options.Classic {
		b.add(remove, "remove.sh", removing)
		b.add(pull, "classic-pull.sh", pulling)
		return
	}
	if b.options.Jobs.RemoveImages {
		b.add(remove, "remove.sh", removing)
	} else {
		remove.Description = b.description("Says which " + phase.Image + " is here, and removes nothing")
		removing.Title = "Says which " + phase.Image + " is here."
		b.add(remove, "keep.sh", removing)
	}
	if place := b.place(phase.Pull); place.marks {
		pulling.Phase = place.number
		pull.Parameters = b.parameters(phase.Node, nil, true) // which campaign it is that ends
	}
	b.add(pull, "pull.sh", pulling)
}

// artifact is the name of the file that is copied for a volume from another
// job; ok is false where the volume is to be the host's.
func (b *builder) artifact(volume string) (name, target string, ok bool) {
	host, target, _ := strings.Cut(volume, ":")
	return path.Base(host), target, b.options.Jobs.ArtifactsFrom != "" && strings.Contains(host, "/")
}

// copies are the files of another job that a container mounts.
func (b *builder) copies(c testcases.Container) []Copy {
	var copies []Copy
	for _, volume := range c.Volumes {
		if name, _, ok := b.artifact(volume); ok {
			copies = append(copies, Copy{From: b.options.Jobs.ArtifactsFrom, Filter: name, OrLast: !b.options.Classic})
		}
	}
	return copies
}

// volumes are the words for volumes. Copies in the workspace, which is where
// Docker's host has it, take the place of files of the host.
func (b *builder) volumes(c testcases.Container, workspace word) []word {
	var words []word
	for _, volume := range c.Volumes {
		if name, target, ok := b.artifact(volume); ok {
			words = append(words, workspace+"/"+quote(name+":"+target))
		} else {
			words = append(words, quote(volume))
		}
	}
	return words
}

func (b *builder) nodeName() string {
	switch {
	case b.options.Jobs.UseNode:
		return "$node"
	case b.options.Jobs.NodeName != "":
		return b.options.Jobs.NodeName
	default:
		return b.plan.Project
	}
}

// test adds the job of a test.
func (b *builder) test(job testcases.Job) {
	c := job.Container
	s := b.script(job.Case.Name+" in "+c.Image+".", c.Image)
	s.UID, s.GID, s.Case, s.Host = c.UID, c.GID, quote(job.Case.Name), true
	place := b.place(job.Name)
	if place.marks {
		s.Phase = place.number
	}
	s.Earlier = b.earlier(place.number)
	if job.Timeout > 0 {
		s.Timeout, s.TimeoutText = int64(job.Timeout/time.Second), short(job.Timeout)
	}
	const folder = "/$BUILD_TAG/$JOB_NAME-$BUILD_ID"
	b.docker(&s, c, b.variables(c, folder), b.volumes(c, hostWorkspace))
	s.Docker = append(s.Docker, `-v "$xtci_host/results/$xtci_build:/var/lib/xtesting/results"`)
	s.Command = "run_tests -t " + string(quote(job.Case.Name)) + b.flags()
	b.add(Job{
		Name: job.Name, Description: b.description(job.Case.Name + " in " + c.Image), Copies: b.copies(c),
		Parameters: b.parameters(job.Node, c.Env, true),
	}, "run.sh", s)
}

// short is a duration without the units that are nothing.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// flags are the arguments of run_tests that say where results go.
func (b *builder) flags() string {
	var flags string
	if b.options.Services.S3 != "" {
		flags += " -p"
	}
	if b.options.Services.TestDB != "" {
		flags += " -r"
	}
	return flags
}

// hostWorkspace is a job's workspace as Docker's host sees it, in scripts that
// have Host.
const hostWorkspace word = `"$xtci_host"`

// docker fills in how docker starts a container, but for its results.
func (b *builder) docker(s *script, c testcases.Container, env variables, volumes []word) {
	s.Exports = env.lines
	s.Docker = []string{
		`--rm --name "$xtci_name" --stop-timeout ` + fmt.Sprint(stopGrace),
		"--label io.xtci.owner=" + string(s.Owner) + ` --label "io.xtci.job=$JOB_NAME"`,
		`--label "io.xtci.build=$BUILD_ID" --label "io.xtci.build-tag=$BUILD_TAG"`,
	}
	network := c.Network
	switch network {
	case "":
		network = b.options.Network
	case "host", "none", b.options.Network:
	default:
		// Services are found on the network of the stack alone.
		if b.options.Network != "bridge" {
			s.Connect = quote(b.options.Network)
		}
	}
	s.Docker = append(s.Docker, fmt.Sprintf("--privileged=%t --network=%s", c.Privileged, quote(network)))
	if c.Memory > 0 { // the sum of both: no swap
		s.Docker = append(s.Docker, fmt.Sprintf("--memory=%d --memory-swap=%d", c.Memory, c.Memory))
	}
	if c.CPUs > 0 {
		s.Docker = append(s.Docker, "--cpus="+strconv.FormatFloat(c.CPUs, 'f', -1, 64))
	}
	for _, volume := range volumes {
		s.Docker = append(s.Docker, "-v "+string(volume))
	}
	for _, port := range c.Ports {
		s.Docker = append(s.Docker, "-p "+string(quote(port)))
	}
	for _, name := range env.names {
		s.Docker = append(s.Docker, "-e "+name)
	}
}

// variables are those of a container: the lines that set them for docker, and
// their names.
type variables struct {
	lines, names []string
}

// set adds a variable with a value that the script has.
func (v *variables) set(name string, value word) {
	v.lines = append(v.lines, "export "+name+"="+string(value))
	v.names = appendNew(v.names, name)
}

// given adds a variable that Jenkins gives.
func (v *variables) given(line, name string) {
	v.lines = append(v.lines, line, "export "+name)
	v.names = appendNew(v.names, name)
}

// reserved are the names that scripts, or docker in them, need for themselves.
var reserved = regexp.MustCompile(`(?i)^(PATH|WORKSPACE|JOB_NAME|BUILD_ID|BUILD_NUMBER|BUILD_TAG|DOCKER_.*|LD_.*|PWD|xtci_.*)$`)

// variables are those that a container gets; folder is where in the object
// store its results go.
func (b *builder) variables(c testcases.Container, folder string) variables {
	var all variables
	parameters := b.parameters("", c.Env, true)
	for _, v := range slices.Concat(c.Env, c.Fixed) {
		if reserved.MatchString(v.Name) && b.err == nil {
			b.err = fmt.Errorf("environment variable %s: Jenkins and the scripts of its jobs use that name themselves: tests cannot be given it", v.Name)
		}
	}
	for _, v := range c.Env {
		if slices.ContainsFunc(parameters, func(p Parameter) bool { return p.Name == v.Name }) {
			all.given(parameterLine(v), v.Name)
		} else {
			all.set(v.Name, quote(v.Value))
		}
	}
	for _, v := range c.Fixed {
		all.set(v.Name, quote(v.Value))
	}
	services := b.options.Services
	if c.Network == "host" {
		services.S3, services.TestDB = b.options.Host.S3, b.options.Host.TestDB
	}
	if services.S3 != "" {
		all.set("S3_ENDPOINT_URL", quote(services.S3))
		all.set("S3_DST_URL", expand(services.Bucket+folder))
		all.set("HTTP_DST_URL", expand(services.Files+folder))
		switch {
		case services.KeysFile == "" && services.AccessKey == "": // in a file that is mounted
		case services.KeysFile == "":
			all.set("AWS_ACCESS_KEY_ID", quote(services.AccessKey))
			all.set("AWS_SECRET_ACCESS_KEY", quote(services.SecretKey.Reveal()))
		default:
			file := string(quote(services.KeysFile))
			all.lines = append(all.lines,
				"if [ ! -r "+file+" ]; then",
				"  echo 'xtci: the file with the key of the object store cannot be read (jobs.keys_file; xtci up makes that of its own Jenkins):' "+file,
				"  exit 1",
				"fi",
				"# shellcheck source=/dev/null")
			all.given(". "+file, "AWS_ACCESS_KEY_ID")
			all.given("", "AWS_SECRET_ACCESS_KEY")
		}
	}
	if services.TestDB != "" {
		all.set("TEST_DB_URL", quote(services.TestDB+"/results"))
		all.set("TEST_DB_EXT_URL", quote(services.TestDBX+"/results"))
		all.set("NODE_NAME", expand(b.nodeName()))
	}
	all.given("", "BUILD_TAG")
	all.lines = slices.DeleteFunc(all.lines, func(line string) bool { return line == "" })
	return all
}

// parameterLine makes sure that a variable has the value of the parameter of
// its name. Jenkins keeps the first spelling of a name in any case: the value
// can be in another variable.
func parameterLine(v config.Variable) string {
	value := string(quote(v.Value))
	for _, other := range [...]string{strings.ToLower(v.Name), strings.ToUpper(v.Name)} {
		if other != v.Name {
			value = "${" + other + "-" + value + "}"
		}
	}
	return `[ "${` + v.Name + `+set}" ] || ` + v.Name + "=" + value
}
