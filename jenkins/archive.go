package jenkins

import (
	"strings"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/testcases"
)

// archives adds the jobs that make archives.
func (b *builder) archives() {
	switch {
	case !b.archived():
	case b.options.Classic:
		for _, archive := range b.plan.Archives {
			b.classicArchive(archive)
		}
	case b.options.Archive.ByContainer:
		b.archiveByContainer(b.plan.Archives[0].Container)
	default:
		b.archive()
	}
}

// archiveJob is the job without its script.
func (b *builder) archiveJob(name, node string) Job {
	return Job{
		Name: name, Parameters: b.parameters(node, b.plan.Env, true),
		Description: b.description("Makes the archive of a campaign of " + b.plan.Project + " at " + b.plan.Tag.Name),
	}
}

// archive adds the job that has xtci make the archive.
func (b *builder) archive() {
	a := b.options.Archive
	c := testcases.Container{Image: a.Image, Fixed: a.Env}
	s := b.script("Makes the archive of a campaign.", a.Image)
	s.Archive = true
	var volumes []word
	for _, volume := range a.Volumes {
		volumes = append(volumes, quote(volume))
	}
	b.docker(&s, c, b.variables(c, ""), volumes)
	if a.User != "" {
		s.Docker = append(s.Docker, "--user "+string(quote(a.User)))
	}
	s.Command = `publish "$BUILD_TAG"`
	for _, arg := range a.Args {
		s.Command += " " + string(quote(arg))
	}
	b.add(b.archiveJob(b.plan.Archive, b.plan.Tag.Node), "archive.sh", s)
}

// archiveByContainer adds the job that has a test container make the archive.
func (b *builder) archiveByContainer(c testcases.Container) {
	s := b.script("Makes the archive of a campaign.", c.Image)
	s.Archive, s.ByContainer, s.Host = true, true, len(b.copies(c)) > 0
	b.docker(&s, c, b.variables(c, ""), b.volumes(c, hostWorkspace))
	s.Command = "zip_campaign"
	s.Redirect = ` >"$xtci_log" 2>&1`
	job := b.archiveJob(b.plan.Archive, b.plan.Tag.Node)
	job.Copies = b.copies(c)
	b.add(job, "archive.sh", s)
}

// fixed is what the role never lets a site say of its archive's container.
func fixed(c testcases.Container) testcases.Container {
	const owner = 1000
	c.Privileged, c.Network, c.UID, c.GID = false, "bridge", owner, owner
	return c
}

// The scripts of the Ansible role's jobs start the same containers with the
// same arguments as its own do (spec/jobs.md).

func (b *builder) classicTest(job testcases.Job) {
	const folder = "/$BUILD_TAG/$JOB_NAME-$BUILD_ID"
	s := b.classicScript(job.Case.Name+" in "+job.Container.Image+".", job.Container, folder)
	s.Command = "run_tests -t " + string(quote(job.Case.Name)) + b.flags()
	b.add(Job{
		Name: job.Name, Description: b.description(job.Case.Name + " in " + job.Container.Image), Copies: b.copies(job.Container),
		Parameters: b.parameters(job.Node, job.Container.Env, true),
	}, "classic-run.sh", s)
}

func (b *builder) classicArchive(archive testcases.ArchiveJob) {
	s := b.classicScript("Makes the archive of a campaign.", fixed(archive.Container), "")
	s.Command = "zip_campaign"
	job := b.archiveJob(archive.Name, archive.Node)
	// The first suite can have a tag of its own, which is then the same in the
	// campaigns of all tags.
	image := archive.Container.Image
	job.Description = b.description("Makes the archive of a campaign of " + b.plan.Project + " at " + image[strings.LastIndexByte(image, ':')+1:])
	job.Copies = b.copies(archive.Container)
	b.add(job, "classic-run.sh", s)
}

func (b *builder) classicScript(title string, c testcases.Container, folder string) script {
	s := b.script(title, c.Image)
	s.UID, s.GID = c.UID, c.GID
	network := c.Network
	if network == "" {
		network = b.options.Network
	}
	workspace := b.options.Workspace + "/$JOB_NAME"
	line := func(option string, value word) { s.Docker = append(s.Docker, option+string(value)) }
	env := func(name, value string) { line("-e ", expand(name+"="+value)) }
	constant := func(v config.Variable) { line("-e ", quote(v.Name+"="+v.Value)) }
	if c.Privileged {
		line("--privileged=true", "")
	} else {
		line("--privileged=false", "")
	}
	line("--network=", quote(network))
	for _, volume := range b.volumes(c, expand(workspace)) {
		line("-v ", volume)
	}
	for _, v := range c.Env {
		line("-e ", word(`"`+v.Name+"=${"+v.Name+`-}"`))
	}
	for _, port := range c.Ports {
		line("-p ", quote(port))
	}
	services := b.options.Services
	if services.S3 != "" {
		constant(config.Variable{Name: "S3_ENDPOINT_URL", Value: services.S3})
		env("S3_DST_URL", services.Bucket+folder)
		env("HTTP_DST_URL", services.Files+folder)
		if services.AccessKey != "" {
			constant(config.Variable{Name: "AWS_ACCESS_KEY_ID", Value: services.AccessKey})
			constant(config.Variable{Name: "AWS_SECRET_ACCESS_KEY", Value: services.SecretKey.Reveal()})
		}
	}
	if services.TestDB != "" {
		constant(config.Variable{Name: "TEST_DB_URL", Value: services.TestDB + "/results"})
		constant(config.Variable{Name: "TEST_DB_EXT_URL", Value: services.TestDBX + "/results"})
		env("NODE_NAME", b.nodeName())
		env("BUILD_TAG", "$BUILD_TAG")
	}
	line("-v ", expand(workspace+"/results:/var/lib/xtesting/results"))
	for _, v := range c.Fixed {
		constant(v)
	}
	return s
}
