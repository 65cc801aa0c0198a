package main

import (
	"log"
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

// serverLog is for what net/http has to tell. In development that is a panic,
// whose stack is to be read line by line.
func serverLog(cfg config) *log.Logger {
	if cfg.development() {
		return log.New(os.Stderr, "", 0)
	}
	return slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn)
}
