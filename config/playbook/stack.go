package playbook

import (
	"strconv"
	"strings"
	"time"

	"github.com/anuket-project/xtci/config"
)

// stack is the toolchain: what any call of the role deploys, and what else is
// there already.
func (c *converter) stack(deployed map[string]bool) {
	s := &c.site.Stack
	s.Prefix = c.text("prefix")
	c.from("stack.prefix", "prefix")
	for name, to := range inOrder(map[string]*int{
		"jenkins_port": &s.Jenkins.Port, "minio_port": &s.Minio.Port, "minio_console_port": &s.Minio.ConsolePort,
		"s3www_port": &s.Files.Port, "testapi_port": &s.TestDB.Port, "registry_port": &s.Registry.Port,
	}) {
		if c.isGiven(name) {
			*to = c.number(name)
			c.from(c.known[name].Site, name)
		}
	}
	for name, to := range inOrder(map[string]*string{
		"jenkins_docker": &s.Jenkins.Image, "minio_docker": &s.Minio.Image, "registry_docker": &s.Registry.Image,
		"testapi_docker": &s.TestDB.Image, "mongo_docker": &s.TestDB.MongoImage,
	}) {
		c.image(name, to)
	}
	if c.isGiven("testapi_docker_image", "testapi_docker_tag", "mongo_docker_image", "mongo_docker_tag") {
		s.TestDB.Engine = config.EngineOPNFV
		c.from("stack.testdb.engine", "testapi_docker_image", "testapi_docker_tag", "mongo_docker_image", "mongo_docker_tag")
	}
	s.Registry.Enabled = deployed["registry_deploy"]
	c.from("stack.registry.enabled", "registry_deploy")
	c.jenkins(deployed["jenkins_deploy"])
	c.objectStore(deployed["minio_deploy"])
	c.testDB(deployed["testapi_deploy"])
}

// image is an image of the stack, if the playbook names it or its tag.
func (c *converter) image(prefix string, to *string) {
	image, tag := prefix+"_image", prefix+"_tag"
	if !c.isGiven(image, tag) {
		return
	}
	separator := ":"
	if strings.HasPrefix(c.text(tag), "@") {
		separator = ""
	}
	*to = c.text(image) + separator + c.text(tag)
	c.from(c.known[image].Site, image, tag)
}

// standard is the URL that the role has for a service of its own.
func (c *converter) standard(variable string) string {
	v, err := c.resolve(c.known[variable].fallback)
	if err != nil {
		c.fail(err)
		return ""
	}
	return trimURL(text(v.data))
}

// elsewhere is the URL of a service that the stack does not have, or has at
// another place than the role thinks; empty if it is the stack's own.
func (c *converter) elsewhere(variable string, deployed bool) string {
	url := trimURL(c.text(variable))
	if deployed && url == c.standard(variable) {
		return ""
	}
	c.from(c.known[variable].Site, variable)
	return url
}

// public is the URL by which people reach a service; empty if it is the stack's
// own at its port.
func (c *converter) public(variable string, own bool, port int, path string) string {
	url := trimURL(c.text(variable))
	if own && url == "http://"+c.text("ipaddress")+":"+strconv.Itoa(port)+path {
		return ""
	}
	c.from(c.known[variable].Site, variable, "external_ipaddress")
	return url
}

func (c *converter) jenkins(deployed bool) {
	j := &c.site.Stack.Jenkins
	if c.isGiven("jenkins_user") {
		j.User = c.text("jenkins_user")
		c.from("stack.jenkins.user", "jenkins_user")
	}
	if c.isGiven("jenkins_password") {
		j.Password = config.Secret(c.text("jenkins_password"))
		c.from("stack.jenkins.password", "jenkins_password")
	}
	if c.isGiven("jenkins_wait") {
		if seconds := c.number("jenkins_wait"); time.Duration(seconds)*time.Second > j.Timeout {
			j.Timeout = time.Duration(seconds) * time.Second
			c.from("stack.jenkins.timeout", "jenkins_wait")
		}
	}
	workspace := c.text("jenkins_workspace")
	if workspace != c.standard("jenkins_workspace") {
		c.site.Jobs.Workspace = workspace
		c.from("jobs.workspace", "jenkins_workspace")
	}
	if deployed && c.isGiven("jenkins_url") && trimURL(c.text("jenkins_url")) != c.standard("jenkins_url") {
		c.warn(c.place("jenkins_url"), "jenkins_url", "the stack has a Jenkins of its own, which is reached at its port: the URL is not used")
	}
	if !deployed && !c.truth("jenkins_create_jobs") && !c.truth("gitlab_create_jobs") {
		j.Enabled = false
		c.from("stack.jenkins.enabled", "jenkins_deploy")
	}
	if !deployed && c.truth("jenkins_create_jobs") {
		j.External.URL = c.elsewhere("jenkins_url", false)
		if c.site.Jobs.Workspace == "" {
			c.site.Jobs.Workspace = workspace
		}
	}
}

func (c *converter) objectStore(deployed bool) {
	s := &c.site.Stack
	if !c.truth("publish_to_s3") {
		s.Minio.Enabled, s.Files.Enabled = false, false
		c.from("stack.minio.enabled", "publish_to_s3")
		return
	}
	if c.isGiven("s3_dst_url", "bucket") {
		c.bucket()
	}
	s.Minio.External.Endpoint = c.elsewhere("s3_endpoint_url", deployed)
	own := s.Minio.External.Endpoint == ""
	s.Files.PublicURL, s.Files.Enabled = c.public("http_dst_url", own, s.Files.Port, ""), own
	switch {
	case c.truth("s3_mask_creds"):
		s.Minio.JobsAccessKey, s.Minio.JobsSecretKey = "", ""
		c.from("stack.minio.jobs_access_key", "s3_mask_creds")
		c.mount(c.text("boto") + ":/etc/boto.cfg")
	case own:
		if c.isGiven("aws_access_key_id", "aws_secret_access_key") {
			s.Minio.AccessKey, s.Minio.SecretKey = c.text("aws_access_key_id"), config.Secret(c.text("aws_secret_access_key"))
			c.from("stack.minio.access_key", "aws_access_key_id")
			c.from("stack.minio.secret_key", "aws_secret_access_key")
		}
	default:
		s.Minio.JobsAccessKey, s.Minio.JobsSecretKey = c.text("aws_access_key_id"), config.Secret(c.text("aws_secret_access_key"))
		c.from("stack.minio.jobs_access_key", "aws_access_key_id")
		c.from("stack.minio.jobs_secret_key", "aws_secret_access_key")
	}
	for _, name := range [...]string{"config", "credentials"} {
		if file := c.text("aws_" + name); file != "" {
			c.mount(file + ":/home/xtesting/.aws/" + name)
		}
	}
}

// bucket is where results go to: s3://BUCKET/FOLDER.
func (c *converter) bucket() {
	url := c.text("s3_dst_url")
	bucket, ok := strings.CutPrefix(url, "s3://")
	if !ok {
		c.wrong(c.place("s3_dst_url"), "s3_dst_url", "want s3://BUCKET, and not %s", quoted(url))
		return
	}
	bucket, folder, _ := strings.Cut(strings.Trim(bucket, "/"), "/")
	if !c.isGiven("s3_dst_url") {
		bucket = c.text("bucket")
	}
	c.site.Stack.Minio.Bucket, c.site.Stack.Minio.Folder = bucket, folder
	c.from("stack.minio.bucket", "s3_dst_url", "bucket")
	c.from("stack.minio.folder", "s3_dst_url")
}

// mount adds a volume to every container.
func (c *converter) mount(volume string) {
	c.site.Volumes = append(c.site.Volumes, volume)
	for i := range c.site.Suites {
		if s := &c.site.Suites[i]; s.Volumes != nil {
			s.Volumes = append(s.Volumes, volume)
		}
	}
}

func (c *converter) testDB(deployed bool) {
	t := &c.site.Stack.TestDB
	if !c.truth("push_to_db") {
		t.Enabled = false
		c.from("stack.testdb.enabled", "push_to_db")
		return
	}
	t.External.URL = c.elsewhere("testapi_url", deployed)
	if public := c.public("testapi_ext_url", t.External.URL == "", t.Port, "/api/v1"); public != t.External.URL {
		t.PublicURL = public
	}
}
