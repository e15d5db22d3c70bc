// Command testprog is what runs in the containers of tests. Its arguments are
// done one after the other:
//
//	out=TEXT         write a line to stdout
//	err=TEXT         write a line to stderr
//	env=NAME         write a variable of the environment to stdout
//	cat=PATH         write a file to stdout
//	write=PATH=TEXT  make a file
//	status           write the process's identity, capabilities and so on
//	get=URL          write what a GET answers to stdout
//	fill=MIB         take that much memory, and keep it
//	ticks            write a number to stdout every 10 ms, for ever
//	serve=ADDRESS    answer every GET with "here is NAME", for ever
//	wait             wait for SIGTERM, then go on
//	deaf             from now on, do not hear SIGTERM
//	exit=CODE        end
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "testprog:", err)
		code = 99
	}
	os.Exit(code) //nolint:forbidigo // a program of its own
}

func run(words []string) (code int, err error) {
	var kept [][]byte
	for _, word := range words {
		verb, what, _ := strings.Cut(word, "=")
		switch verb {
		case "fill":
			mib, err := strconv.Atoi(what)
			if err != nil {
				return 0, err
			}
			for range mib {
				kept = append(kept, touched())
			}
		case "exit":
			code, err := strconv.Atoi(what)
			return code, err
		default:
			if err := do(verb, what); err != nil {
				return 0, fmt.Errorf("%s: %w", word, err)
			}
		}
	}
	_ = kept
	return 0, nil
}

// touched is a MiB that really is there.
func touched() []byte {
	block := make([]byte, 1<<20)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	return block
}

func do(verb, what string) error {
	switch verb {
	case "out":
		return write(os.Stdout, what)
	case "err":
		return write(os.Stderr, what)
	case "env":
		return write(os.Stdout, os.Getenv(what))
	case "cat":
		data, err := os.ReadFile(what)
		return errors.Join(err, write(os.Stdout, strings.TrimSuffix(string(data), "\n")))
	case "write":
		path, text, _ := strings.Cut(what, "=")
		return os.WriteFile(path, []byte(text), 0o644)
	case "status":
		data, err := os.ReadFile("/proc/self/status")
		return errors.Join(err, write(os.Stdout, string(data)))
	case "get":
		return get(what)
	case "ticks":
		tick := time.NewTicker(10 * time.Millisecond)
		for n := 0; ; n++ {
			if err := write(os.Stdout, strconv.Itoa(n)); err != nil {
				return err
			}
			<-tick.C
		}
	case "serve":
		return serve(what)
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		return nil
	case "wait":
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		<-asked
		return nil
	}
	return errors.New("unknown word")
}

func write(w io.Writer, line string) error {
	_, err := fmt.Fprintln(w, line)
	return err
}

func get(url string) error {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}

func serve(address string) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	server := http.Server{
		Addr: address, ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = write(w, "here is "+name) }),
	}
	return server.ListenAndServe()
}
