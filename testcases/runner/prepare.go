package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"

	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/testcases"
)

// ImageEngine is what getting images needs of an engine.
type ImageEngine interface {
	Image(ctx context.Context, ref string) (docker.Image, error)
	Pull(ctx context.Context, ref string, progress func(docker.PullProgress)) (docker.Image, error)
}

// States of an image that is being got.
const (
	ImageHere    = "here"
	ImagePulling = "pulling"
	ImagePulled  = "pulled"
)

// Images makes sure, before anything runs, that the engine has the images of
// a plan, and returns what each stands for: its digest in a registry, or its
// id where it never came from one.
func Images(ctx context.Context, engine ImageEngine, plan testcases.Plan, offline bool, progress func(ref, state string, done, total int64)) (map[string]string, error) {
	digests := map[string]string{}
	for _, job := range plan.Jobs() {
		digests[job.Container.Image] = ""
	}
	var mu sync.Mutex
	var errs []error
	var group sync.WaitGroup
	for ref := range digests {
		group.Go(func() {
			image, err := getImage(ctx, engine, ref, offline, progress)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			digests[ref] = image.ID
			for _, digest := range image.RepoDigests {
				digests[ref] = digest[strings.IndexByte(digest, '@')+1:]
			}
		})
	}
	group.Wait()
	return digests, errors.Join(errs...)
}

func getImage(ctx context.Context, engine ImageEngine, ref string, offline bool, progress func(ref, state string, done, total int64)) (docker.Image, error) {
	image, err := engine.Image(ctx, ref)
	if err == nil {
		progress(ref, ImageHere, 0, 0)
		return image, nil
	}
	if !errors.Is(err, docker.ErrNotFound) {
		return image, err
	}
	if offline {
		return image, fmt.Errorf("image %s is not here, and --offline pulls nothing: load it from a bundle (xtci bundle load FILE)", ref)
	}
	progress(ref, ImagePulling, 0, 0)
	image, err = engine.Pull(ctx, ref, func(p docker.PullProgress) { progress(ref, ImagePulling, p.Done, p.Total) })
	if err == nil {
		progress(ref, ImagePulled, 0, 0)
	}
	return image, err
}

// NetworkEngine is what making a campaign's network needs of an engine.
type NetworkEngine interface {
	Networks(ctx context.Context, labels map[string]string) ([]docker.Network, error)
	CreateNetwork(ctx context.Context, n docker.Network) (docker.Network, error)
	RemoveNetwork(ctx context.Context, id string) error
}

// MakeNetwork makes the network of a campaign's containers, or finds the one
// that an earlier process left.
func MakeNetwork(ctx context.Context, engine NetworkEngine, tag string) (docker.Network, error) {
	labels := map[string]string{LabelCampaign: tag}
	left, err := engine.Networks(ctx, labels)
	if err != nil || len(left) > 0 {
		return append(left, docker.Network{})[0], err
	}
	return engine.CreateNetwork(ctx, docker.Network{Name: "xtci-campaign-" + tag, Labels: labels})
}

// RemoveNetwork removes the network of a campaign.
func RemoveNetwork(ctx context.Context, engine NetworkEngine, network docker.Network) error {
	if err := engine.RemoveNetwork(ctx, network.ID); err != nil && !errors.Is(err, docker.ErrNotFound) {
		return err
	}
	return nil
}

// A ClusterLock keeps other campaigns of this host from a cluster.
type ClusterLock struct{ file *os.File }

// Close lets others at the cluster.
func (l *ClusterLock) Close() error { return unlockFile(l.file) }

var clusterUID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// LockCluster locks a cluster, by the UID of its namespace kube-system, for
// this process. The error wraps ErrRunning when another campaign has it.
func LockCluster(uid string) (*ClusterLock, error) {
	if !clusterUID.MatchString(uid) {
		return nil, fmt.Errorf("lock the cluster: its kube-system has the UID %q, which is none", uid)
	}
	// One place for all prefixes and users of this host.
	name := filepath.Join(os.TempDir(), "xtci-cluster-"+uid+".lock")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDONLY|syscall.O_NOFOLLOW, 0o444)
	if err != nil {
		return nil, fmt.Errorf("lock the cluster: %w", err)
	}
	if err := lockFile(file); err != nil {
		return nil, errors.Join(fmt.Errorf("a campaign runs against this cluster already (kube-system %s): %w", uid, err), file.Close())
	}
	return &ClusterLock{file}, nil
}
