package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/anuket-project/xtci/config"
)

// Limits of this host; docs/doctor.md has their reasons.
const (
	diskWanted   = 20 << 30
	diskNeeded   = 5 << 30
	inodesNeeded = 100_000

	memoryNeeded    = 2 << 30 // Jenkins and MinIO do not start on less
	memoryForTests  = 1 << 30 // what test containers take beside the stack
	memoryAvailable = 512 << 20
)

// checkPrefix looks whether the stack's folder can be made and written.
func checkPrefix(_ context.Context, p *probe) verdict {
	prefix, err := filepath.Abs(p.Site.Stack.Prefix)
	if err != nil {
		return fail(otherPrefix, "%v", err)
	}
	there, err := nearest(prefix)
	if err != nil {
		return fail(otherPrefix, "%s: %v", prefix, err)
	}
	if err := writable(there); err != nil {
		return fail("run xtci as a user who may write there, or "+otherPrefix, "%s cannot be written by this user: %v", there, err)
	}
	if there != prefix {
		return pass("%s is not there yet and can be made", prefix)
	}
	return pass("%s can be written", prefix)
}

const otherPrefix = "choose another folder with --set stack.prefix=FOLDER"

// nearest is the folder itself, or that of its parents that is there.
func nearest(folder string) (string, error) {
	for {
		info, err := os.Stat(folder)
		switch {
		case err == nil && !info.IsDir():
			return "", errors.New(folder + " is not a folder")
		case err == nil:
			return folder, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		case filepath.Dir(folder) == folder:
			return "", err
		}
		folder = filepath.Dir(folder)
	}
}

func checkDisk(_ context.Context, p *probe) verdict {
	prefix, err := filepath.Abs(p.Site.Stack.Prefix)
	if err != nil {
		return fail(otherPrefix, "%v", err)
	}
	there, err := nearest(prefix)
	if err != nil {
		return skip("%s", needsError{"prefix"}.Error())
	}
	return diskVerdict(there, "remove old campaigns, or "+otherPrefix)
}

// A disk is the room on one.
type disk struct {
	free, total         uint64 // bytes, free for this user
	freeNodes, allNodes uint64 // inodes; 0 of 0 where there is no limit
}

// diskVerdict is that on the room on the disk that a folder is on.
func diskVerdict(folder, advice string) verdict {
	d, err := diskOf(folder)
	if err != nil {
		return skip("the room at %s cannot be told: %v", folder, err)
	}
	return d.verdict(folder, advice)
}

func (d disk) verdict(folder, advice string) verdict {
	seen := fmt.Sprintf("%s of %s free at %s", gib(d.free), gib(d.total), folder)
	switch {
	case d.free < diskNeeded:
		return fail(advice, "%s: images and results do not fit in less than %s", seen, gib(diskNeeded))
	case d.allNodes > 0 && d.freeNodes < inodesNeeded:
		return fail(advice, "%s, but only %d more files can be made there", seen, d.freeNodes)
	case d.free < diskWanted:
		return warn(advice, "%s: %s are wanted for all images and some campaigns", seen, gib(diskWanted))
	default:
		return pass("%s", seen)
	}
}

func gib(bytes uint64) string {
	const one = 1 << 30
	if bytes >= 10*one {
		return fmt.Sprintf("%d GiB", bytes/one)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/one)
}

func checkMemory(_ context.Context, p *probe) verdict {
	if engine, err := p.engine(); err == nil && remote(engine) {
		info, err := p.info()
		if err != nil {
			return unusable(err, "look at Docker's log")
		}
		return memoryVerdict(uint64(max(info.Memory, 0)), 0, limits(p.Site))
	}
	f, err := os.Open(filepath.Join(p.host.proc, "meminfo"))
	if err != nil {
		return skip("the memory cannot be told: %v", err)
	}
	defer f.Close()
	total, available, err := parseMeminfo(f)
	if err != nil {
		return skip("the memory cannot be told: %v", err)
	}
	return memoryVerdict(total, available, limits(p.Site))
}

// limits is what the stack's services may take together.
func limits(site config.Site) uint64 {
	var sum uint64
	for _, service := range ownServices(site) {
		sum += uint64(max(service.MemoryBytes(), 0))
	}
	return sum
}

// memoryVerdict is that on a memory in bytes. How much is available may be
// unknown, 0.
func memoryVerdict(total, available, limits uint64) verdict {
	seen := gib(total) + " of memory"
	if available > 0 {
		seen += ", " + gib(available) + " available"
	}
	switch {
	case total < memoryNeeded:
		return fail("use a machine with more", "%s: Jenkins and MinIO need %s", seen, gib(memoryNeeded))
	case available > 0 && available < memoryAvailable:
		return warn("end what takes it", "%s: tests will be killed, or swap", seen)
	case total < limits+memoryForTests:
		return warn("use a machine with more, or lower the limits (--set stack.jenkins.memory=1g)",
			"%s: the stack's services may take %s, tests about %s more", seen, gib(limits), gib(memoryForTests))
	default:
		return pass("%s; the stack's services may take %s", seen, gib(limits))
	}
}

// parseMeminfo reads /proc/meminfo, in bytes.
func parseMeminfo(r io.Reader) (total, available uint64, err error) {
	lines := bufio.NewScanner(io.LimitReader(r, 1<<20))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		kib, err := strconv.ParseUint(fields[1], 10, 53)
		if err != nil {
			continue
		}
		switch fields[0] {
		case "MemTotal:":
			total = kib << 10
		case "MemAvailable:":
			available = kib << 10
		}
	}
	if err := lines.Err(); err != nil {
		return 0, 0, err
	}
	if total == 0 {
		return 0, 0, errors.New("there is no MemTotal")
	}
	return total, available, nil
}

// checkCPU looks for what MongoDB needs, if the site has it.
func checkCPU(_ context.Context, p *probe) verdict {
	db := p.Site.Stack.TestDB
	if !db.Enabled || db.External.URL != "" || db.Engine != config.EngineOPNFV {
		return skip("there is no MongoDB in the stack (stack.testdb.engine is not opnfv)")
	}
	if engine, err := p.engine(); err == nil && remote(engine) {
		return skip("Docker runs on another machine, whose processor is not seen from here")
	}
	f, err := os.Open(filepath.Join(p.host.proc, "cpuinfo"))
	if err != nil {
		return skip("the processor cannot be told: %v", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, 4<<20))
	if err != nil {
		return skip("the processor cannot be told: %v", err)
	}
	return cpuVerdict(runtime.GOARCH, string(raw), db.MongoImage)
}

// cpuVerdict is that on a processor as /proc/cpuinfo describes it. MongoDB
// needs AVX from 5.0 on.
func cpuVerdict(arch, cpuinfo, image string) verdict {
	const advice = "use xtci's own test DB (--set stack.testdb.engine=xtci), or MongoDB 4.4 (--set stack.testdb.mongo_image=docker.io/library/mongo:4.4)"
	if major, _, ok := majorMinor(tag(image)); ok && major < 5 {
		return pass("%s runs on every processor", image)
	}
	if arch != "amd64" {
		return warn(advice, "MongoDB from 5.0 on needs ARMv8.2-A or newer, which cannot be told here (%s)", arch)
	}
	for line := range strings.Lines(cpuinfo) {
		if name, flags, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "flags" {
			if slices.Contains(strings.Fields(flags), "avx") {
				return pass("the processor has AVX, which MongoDB needs")
			}
			return fail(advice, "the processor has no AVX, without which MongoDB from 5.0 on dies at start")
		}
	}
	return warn(advice, "whether the processor has AVX, which MongoDB needs, cannot be told")
}

// tag is the tag of an image, or "".
func tag(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
		return image[colon+1:]
	}
	return ""
}
