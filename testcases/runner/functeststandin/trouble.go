package main

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// trouble is what the case was told to suffer, before it has any result.
func (d *driver) trouble() error {
	name := d.of.Name
	if status, told := d.orders.crash(name); told {
		return errors.Join(d.half(), &errEnd{status})
	}
	if d.orders.told("RAISE", name) {
		return &raised{"RuntimeError: told to by the stand-in"}
	}
	for _, hang := range []string{"HANG", "DEAF"} {
		if d.orders.told(hang, name) {
			return errors.Join(d.half(), d.hang(hang == "DEAF"))
		}
	}
	if d.orders.told("OOM", name) {
		return d.takeMemory()
	}
	if size := d.orders.fill(name); size > 0 {
		if err := d.write("fill.bin", io.LimitReader(newEndless(), size)); err != nil {
			return &raised{"OSError: " + err.Error()}
		}
	}
	return nil
}

const (
	// goOn is the file that a case waits for which was told to.
	goOn = "go-on"
	// goOnPoll is how often it looks.
	goOnPoll = 20 * time.Millisecond
)

// awaitGoOn lets the case wait, if it was told to, until somebody puts that
// file into its results folder.
func (d *driver) awaitGoOn() error {
	if !d.orders.told("WAIT", d.of.Name) {
		return nil
	}
	for {
		if err := os.Remove(d.results(goOn)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := wait(goOnPoll); err != nil {
			return err
		}
	}
}

// half leaves the first half of a suite's e2e.log.
func (d *driver) half() error {
	if d.of.Focus == "" || !d.hasKubeconfig() {
		return nil
	}
	output, _, err := d.madeSuite()
	if err != nil {
		return err
	}
	return errors.Join(d.writeText("repositories.yml", repositories), d.writeText(ginkgoLog, output[:len(output)/2]))
}

// hang waits for SIGTERM, or for ever.
func (d *driver) hang(deaf bool) error {
	caught := make(chan os.Signal, 1)
	if deaf {
		signal.Ignore(syscall.SIGTERM)
		signal.Notify(caught, syscall.SIGUSR2) // for ever: nothing sends it
	} else {
		signal.Notify(caught, syscall.SIGTERM)
	}
	defer signal.Stop(caught)
	d.say("WARNING", "the stand-in hangs")
	<-caught
	return &errEnd{128 + int(syscall.SIGTERM)}
}

// mostMemory is what is taken where nothing limits it.
const mostMemory = 1 << 30

// takeMemory takes memory until the kernel ends it.
func (d *driver) takeMemory() error {
	limit := memoryLimit()
	most := int64(mostMemory)
	if limit > 0 {
		most = 2 * limit // with what the kernel may swap
	}
	const step = 4 << 20
	var taken [][]byte
	for int64(len(taken)*step) < most {
		block := make([]byte, step)
		for i := 0; i < step; i += 4096 {
			block[i] = byte(i) + 1 // a page that nobody wrote to takes nothing
		}
		taken = append(taken, block)
	}
	return &raised{"MemoryError: " + strconv.Itoa(len(taken)*step) + " bytes taken, and nothing stopped it"}
}

// memoryLimit is that of this process's cgroup, of version 2 or 1; 0 when
// there is none.
func memoryLimit() int64 {
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		file, err := os.Open(name)
		if err != nil {
			continue
		}
		line, _ := bufio.NewReader(file).ReadString('\n')
		_ = file.Close()
		if limit, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64); err == nil && limit < 1<<40 {
			return limit
		}
	}
	return 0
}

// endless gives the same block again and again: bytes that do not compress,
// without the time that it takes to make them.
type endless []byte

func newEndless() endless {
	block := make(endless, 32<<10)
	state := uint64(88172645463325252)
	for i := range block { // xorshift
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		block[i] = byte(state)
	}
	return block
}

func (e endless) Read(p []byte) (int, error) { return copy(p, e), nil }
