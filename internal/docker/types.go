package docker

import (
	"errors"
	"io"
	"time"
)

// Errors to branch on, found with errors.Is.
var (
	// ErrNotFound is wrapped when the container, image or network is not there.
	ErrNotFound = errors.New("not found")
	// ErrConflict is wrapped when a name is taken, or a thing is in use.
	ErrConflict = errors.New("conflict")
	// ErrUnavailable is wrapped when no engine answers: not installed, not
	// running, or stopped in the middle.
	ErrUnavailable = errors.New("engine does not answer")
	// ErrPermission is wrapped when the engine's socket may not be used.
	ErrPermission = errors.New("no permission to use Docker Engine")
	// ErrNoSpace is wrapped when the engine's disk is full.
	ErrNoSpace = errors.New("no space left on the disk of Docker Engine")
	// ErrPortTaken is wrapped when a port of the host is in use.
	ErrPortTaken = errors.New("port is already taken")
	// ErrDenied is wrapped when a registry refuses: it wants credentials, or
	// others. Some say so of a repository that is not there, which then is
	// ErrNotFound too.
	ErrDenied = errors.New("registry denies access")
	// ErrUnreachable is wrapped when the engine cannot speak to a registry.
	ErrUnreachable = errors.New("registry cannot be reached")
)

// Info is what an engine says of itself.
type Info struct {
	Version       string // 28.2.2
	APIVersion    string // 1.50, the engine's
	OS, Arch      string // linux, amd64
	OSName        string // Debian GNU/Linux 12 (bookworm)
	Kernel        string
	StorageDriver string
	RootDir       string // /var/lib/docker
	CPUs          int
	Memory        int64 // bytes
	HTTPProxy     string
	HTTPSProxy    string
	NoProxy       string
	Time          time.Time // the engine's clock
}

// An Image is one that the engine has.
type Image struct {
	ID          string   // sha256:..., of its configuration
	Tags        []string // repo:tag
	RepoDigests []string // repo@sha256:..., empty for what was never pulled
	Labels      map[string]string
	Size        int64
	Created     time.Time
	OS, Arch    string
}

// PullProgress is how far the pull of an image is, its layers added up.
type PullProgress struct {
	Status      string // the engine's last word, such as Downloading
	Done, Total int64  // bytes of the layers whose size is known by now
}

// A Container says how a container is to be made.
type Container struct {
	Name    string
	Image   string // a reference, or an id
	Command []string
	// Entrypoint, if not nil, replaces the image's.
	Entrypoint []string
	Env        []string // KEY=VALUE
	Labels     map[string]string
	Mounts     []Mount
	Ports      []Port
	// Network is the name or id of its only network; "" is Docker's default
	// bridge, "host" that of the host.
	Network  string
	Aliases  []string // names on that network, beside its own
	Hostname string
	// ExtraHosts are host:ip pairs for its /etc/hosts.
	ExtraHosts []string
	User       string   // uid[:gid]; "" is the image's
	Groups     []string // further groups, by number
	WorkingDir string

	Privileged      bool
	ReadOnlyRoot    bool
	Tmpfs           []string // folders in memory
	DropAllCaps     bool
	AddCaps         []string
	NoNewPrivileges bool
	Memory          int64 // bytes, 0 for no limit; swap is not allowed beyond it
	CPUs            float64
	PIDs            int64

	// RestartUnlessStopped has the engine start it again, after a reboot too.
	RestartUnlessStopped bool
	// LogMaxBytes and LogFiles rotate its log; 0 leaves that to the engine.
	LogMaxBytes int64
	LogFiles    int
	StopSignal  string
	StopGrace   time.Duration
	// Init runs a small init as process 1, which reaps.
	Init bool
}

// A Mount is a file or folder of the host in a container. The source must be
// there.
type Mount struct {
	Source, Target string // absolute
	ReadOnly       bool
}

// A Port of a container, published on the host.
type Port struct {
	HostIP    string // "" is every address
	Host      int    // 0 lets the engine choose
	Container int
}

// ContainerState is a container that is there.
type ContainerState struct {
	ID, Name  string
	Image     string // as it was asked for
	ImageID   string
	Labels    map[string]string
	Status    string // created, running, paused, restarting, removing, exited, dead
	Created   time.Time
	Started   time.Time
	Finished  time.Time
	ExitCode  int
	OOMKilled bool
	Error     string // why the engine could not start it
	Restarts  int
	Ports     []Port            // as published, with the ports that were chosen
	Addresses map[string]string // IP addresses by the name of the network
}

// Running says whether its process runs.
func (s ContainerState) Running() bool { return s.Status == "running" }

// An Exit is how a container's process ended.
type Exit struct {
	Code      int
	OOMKilled bool
	Error     string // the engine's, if it could not be waited for properly
}

// LogOptions say which part of a container's log is wanted.
type LogOptions struct {
	Follow bool
	Tail   int // last lines; 0 is all
	Since  time.Time
	Times  bool // each line begins with its time
	// Stdout and Stderr get what the container wrote there. Both may be the
	// same writer.
	Stdout, Stderr io.Writer
}

// A Network says how a network is to be made, and how one that is there is.
type Network struct {
	ID, Name string
	Labels   map[string]string
	// Internal keeps its containers from everything outside.
	Internal bool
	Gateway  string   // of IPv4; known when it is there
	Subnet   string   // 172.18.0.0/16, that of the gateway
	Used     []string // the ids of the containers on it
}
