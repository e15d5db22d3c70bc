package fileserver

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/anuket-project/xtci/internal/httpserve"
)

// Limits of every connection. A client that is slower loses it.
const (
	headerTime = 10 * time.Second
	readTime   = 30 * time.Second
	writeTime  = 60 * time.Second // for each part of an answer
	idleTime   = 2 * time.Minute
	maxHeader  = 64 << 10
)

// Serve answers requests until ctx ends, then lets those that are under way
// finish, 10 s at most. It closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	return httpserve.Until(ctx, server, l, "files", "downloads")
}
