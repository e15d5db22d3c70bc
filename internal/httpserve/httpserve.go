// Package httpserve ends web servers in good order.
package httpserve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// stopTime is how long requests may go on after the stop.
const stopTime = 10 * time.Second

// Until serves until ctx ends, then lets the requests that are under way
// finish, 10 s at most. It closes the listener. Its errors call what is served
// service, and the calls for it requests, such as "files" and "downloads".
func Until(ctx context.Context, server *http.Server, l net.Listener, service, requests string) error {
	return until(ctx, server, l, service, requests, stopTime)
}

func until(ctx context.Context, server *http.Server, l net.Listener, service, requests string, grace time.Duration) error {
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s on %s: %w", service, l.Addr(), err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := server.Shutdown(stop)
	if err != nil {
		err = fmt.Errorf("%s were cut that still ran %s after the stop: %w", requests, grace, errors.Join(err, server.Close()))
	}
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
