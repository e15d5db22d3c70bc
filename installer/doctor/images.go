package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/anuket-project/xtci/internal/docker"
)

// checkImage looks whether an image is there, or a registry has it.
func checkImage(ctx context.Context, p *probe, wanted image) verdict {
	engine, err := p.engine()
	if err != nil {
		return skip("%s", needsError{"docker"}.Error())
	}
	for i, ref := range wanted.refs {
		found, err := engine.Image(ctx, ref)
		if err == nil {
			return pass("%s is here%s (%s, %s)", ref, mirror(i, wanted), shortID(found.ID), mib(found.Size))
		}
		if !errors.Is(err, docker.ErrNotFound) {
			return fail("look at Docker's log: journalctl -u docker", "%v", err)
		}
	}
	var failures []string
	for i, ref := range wanted.refs {
		digest, err := engine.Distribution(ctx, ref)
		if err == nil {
			seen := fmt.Sprintf("%s is not here yet; its registry has it%s (%s)", ref, mirror(i, wanted), shortID(digest))
			if i > 0 {
				return warn("see why the first place does not have it, or name this one (--set "+wanted.key+"=REFERENCE)", "%s; %s", seen, strings.Join(failures, "; "))
			}
			return pass("%s", seen)
		}
		failures = append(failures, reason(ref, err))
		if ctx.Err() != nil {
			break
		}
	}
	seen := "not here, and cannot be had: "
	if len(wanted.refs) > 1 {
		seen = fmt.Sprintf("not here, and cannot be had from any of %d places: ", len(wanted.refs))
	}
	return fail(wanted.advice(), "%s%s", seen, strings.Join(failures, "; "))
}

// reason is an error of a registry, begun by the image that it is about.
func reason(ref string, err error) string {
	_, why, found := strings.Cut(err.Error(), ref+": ")
	if !found {
		why = err.Error()
	}
	return ref + ": " + why
}

func (w image) advice() string {
	if strings.HasPrefix(w.key, "stack.") {
		return "look at network and proxies, name another image (--set " + w.key + "=REFERENCE), or load a bundle (xtci bundle load FILE)"
	}
	return "look at network and proxies, or load a bundle (xtci bundle load FILE)"
}

// mirror says which of several places it was.
func mirror(i int, wanted image) string {
	if i == 0 {
		return ""
	}
	return fmt.Sprintf(", mirror %d of %d", i, len(wanted.refs)-1)
}

// shortID is an id as docker prints it.
func shortID(id string) string {
	const short = 12
	id = strings.TrimPrefix(id, "sha256:")
	if len(id) > short {
		id = id[:short]
	}
	return id
}

func mib(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }
