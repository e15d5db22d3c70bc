package jenkins

import (
	"github.com/anuket-project/xtci/config"
)

// Options say what is around the jobs of a plan: where results go, who makes
// the archive, and what Jenkins is told besides.
type Options struct {
	// Classic makes the jobs of Xtesting CI's Ansible role (spec/jobs.md), and
	// not those that do better.
	Classic bool
	// Owner is in the labels and names of containers, and tells several
	// Jenkinses on one Docker Engine apart.
	Owner string
	// Network is the Docker network of containers that name none, and on which
	// the services are found.
	Network string
	// Workspace is the folder of the Docker host under which Jenkins has its
	// workspaces. It may name variables of the build: $WORKSPACE/.. is where
	// Jenkins is no container.
	Workspace string
	// Services are as containers reach them, and Host as they are reached from
	// the host's network: the URLs alone.
	Services, Host Services
	Archive        Archive
	// StopOnFailure keeps the phases after a failed one from running. The
	// archive is made all the same.
	StopOnFailure bool
	Jobs          config.Jobs
}

// Services are where results go. Without an S3 endpoint nothing is published,
// without a test DB nothing recorded.
type Services struct {
	S3      string // endpoint
	Bucket  string // s3://BUCKET[/PREFIX]
	Files   string // where the bucket is downloaded from
	TestDB  string // .../api/v1, without a slash at the end
	TestDBX string // the same, as people reach it
	// AccessKey and SecretKey are those of the object store. Empty is that
	// containers have them in a file that is mounted.
	AccessKey string
	SecretKey config.Secret
	// KeysFile is a file beside Jenkins that sets AWS_ACCESS_KEY_ID and
	// AWS_SECRET_ACCESS_KEY as a shell does, so that no job holds the keys
	// themselves. Empty is that they do.
	KeysFile string
}

// Archive says who makes the archive of a campaign.
type Archive struct {
	// ByContainer has the first suite's container do it: zip_campaign.
	ByContainer bool
	// Image is xtci's own, which does it otherwise: it is started with
	// publish, the build tag and Args, and with the variables that a test
	// container gets, Env and Volumes besides.
	Image   string
	Args    []string
	Env     config.Env
	Volumes []string // HOST:CONTAINER[:MODE]
	// User is UID:GID; empty is the image's.
	User string
}
