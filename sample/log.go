package main

import (
	"context"
	"log"
	"log/slog"
	"os"
	"path/filepath"

	"devrun/sample/internal/errormail"
	"devrun/sample/internal/logfile"
	"devrun/sample/internal/scrub"
)

// The log of production is eleven files of less than 10 kB.
const (
	logBytes   = 10_240
	logBackups = 10
)

var logPath = filepath.Join("logs", "microblog.log")

// startLog makes slog's default logger, which writes to standard error, and in
// production also to a file and by mail. Whatever it writes is scrubbed. The
// function that it returns sends the mails that wait and closes the file.
func startLog(cfg config) (end func(), err error) {
	handlers := []slog.Handler{logfile.NewHandler(os.Stderr, cfg.LogLevel)}
	var mailer *errormail.Mailer
	if cfg.Mail.Server != "" {
		if mailer, err = errormail.New(cfg.Mail); err != nil {
			return nil, err
		}
		handlers = append(handlers, mailer.Handler())
	}
	var file *logfile.File
	var noFile error
	if !cfg.development() {
		if file, noFile = logfile.Open(logPath, logBytes, logBackups); noFile == nil {
			handlers = append(handlers, logfile.NewHandler(file, cfg.LogLevel))
		}
	}
	slog.SetDefault(slog.New(scrub.Handler(slog.NewMultiHandler(handlers...))))
	if noFile != nil {
		slog.Warn("the log goes to standard error only; make the directory writable and start again", "err", noFile)
	}
	for _, notice := range cfg.Mail.Notices {
		slog.Warn(notice)
	}
	return func() {
		if mailer != nil {
			if err := mailer.Close(context.Background()); err != nil {
				slog.Warn("not every error was mailed before the end", "err", err)
			}
		}
		if file != nil {
			if err := file.Close(); err != nil {
				slog.Warn("close the log file", "err", err)
			}
		}
	}, nil
}

// serverLog is for what net/http has to tell. In development that is a panic,
// whose stack is to be read line by line.
func serverLog(cfg config) *log.Logger {
	if cfg.development() {
		return log.New(os.Stderr, "", 0)
	}
	return slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn)
}
