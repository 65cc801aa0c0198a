package gograph

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"devrun/devserver/internal/gocmd"
)

// Find chooses the package to build when none is named: "." if that is a package
// main, else the only one under ./cmd, written "./cmd/app". The error lists what
// there is to choose from, one package to a line. dir, env and flags are as in Options.
func Find(ctx context.Context, dir string, env, flags []string) (pkg string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the directory to work in: %w", err)
	}
	if err := checkName(dir, "."); err != nil {
		return "", err
	}
	c := gocmd.Command{Dir: dir, Env: env}
	settings, failure, err := askSettings(ctx, c)
	if err != nil {
		return "", err
	}
	if failure != "" {
		return "", errors.New(failure)
	}
	if settings.noModule() {
		return "", noModuleError(dir, ".")
	}
	patterns := []string{"."}
	if exists(filepath.Join(dir, "cmd")) {
		patterns = append(patterns, "./cmd/...")
	}
	mains, err := mainsIn(ctx, c, flags, patterns...)
	switch {
	case err != nil:
		return "", err
	case len(mains) > 0 && mains[0] == ".":
		return ".", nil
	case len(mains) == 1:
		return mains[0], nil
	case len(mains) > 1:
		return "", choose(fmt.Sprintf("%d packages main under ./cmd, name one of them", len(mains)), mains)
	}
	mains, err = mainsIn(ctx, c, flags, "./...")
	if err != nil {
		return "", err
	}
	if len(mains) == 0 {
		return "", fmt.Errorf("no package main in %s or below it: name the directory that has func main", dir)
	}
	return "", choose("no package main here or under ./cmd, name one of those there are", mains)
}

func choose(what string, mains []string) error {
	return fmt.Errorf("%s:\n  %s", what, strings.Join(mains, "\n  "))
}

// mainsIn are the packages main that match, relative to the directory, in order.
func mainsIn(ctx context.Context, c gocmd.Command, flags []string, patterns ...string) ([]string, error) {
	list, failure, err := askList(ctx, c, flags, patterns...)
	if err != nil {
		return nil, err
	}
	if failure != "" {
		return nil, errors.New(failure)
	}
	var mains []string
	for i := range list {
		if !mayBeMain(&list[i]) {
			continue
		}
		rel, err := filepath.Rel(c.Dir, newSpelling(c.Dir).of(list[i].Dir))
		if err != nil {
			return nil, fmt.Errorf("name the package in %s: %w", list[i].Dir, err)
		}
		mains = append(mains, local(rel))
	}
	return mains, nil
}
