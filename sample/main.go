// Command sample is microblog, a small web app: the subject of devrun's
// demonstrations and end-to-end tests. It knows nothing of devrun.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// drain is how long requests under way may take once the app is asked to end.
const drain = 10 * time.Second

func main() {
	if err := run(); err != nil {
		slog.Error("microblog stopped", "err", err)
		os.Exit(1)
	}
}

func run() error {
	cfg, err := configFrom(os.Getenv)
	if err != nil {
		return err
	}
	app, err := newApp(cfg)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(cfg.Host, cfg.Port))
	if err != nil {
		return err
	}
	slog.Info("listening", "addr", net.JoinHostPort(cfg.Host, cfg.Port), "env", cfg.Env)
	srv := &http.Server{
		Handler:           app,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	stop() // a second signal ends the app at once
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
