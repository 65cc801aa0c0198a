// Command sample is microblog, a small web app: the subject of devrun's
// demonstrations and end-to-end tests. It knows nothing of devrun.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"devrun/sample/internal/store"
)

// drain is how long requests under way may take once the app is asked to end.
const drain = 10 * time.Second

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "microblog:", err)
		os.Exit(1)
	}
}

func run() error {
	cfg, err := configFrom(os.Getenv)
	if err != nil {
		return err
	}
	endLog, err := startLog(cfg)
	if err != nil {
		return err
	}
	defer endLog()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the app at once
	db, err := store.Open(ctx, cfg.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	if len(os.Args) > 1 {
		return command(ctx, cfg, db, os.Args[1:])
	}
	app, err := newApp(cfg, db)
	if err != nil {
		return err
	}
	slog.Info("Microblog startup")
	if cfg.UncheckedUsername {
		slog.Warn("MICROBLOG_BUG=username: a profile takes a name that somebody else has")
	}
	return serve(ctx, cfg, app)
}

// serve answers requests until ctx ends, and then those that have begun.
func serve(ctx context.Context, cfg config, h http.Handler) error {
	addr := net.JoinHostPort(cfg.Host, cfg.Port)
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%w; HOST and PORT say where to listen", err)
	}
	slog.Info("listening", "addr", addr)
	srv := &http.Server{
		Handler:           h,
		ErrorLog:          serverLog(cfg),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		return fmt.Errorf("end the requests under way: %w", err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
