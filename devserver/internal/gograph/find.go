package gograph

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"devrun/devserver/internal/gocmd"
)

// findMain chooses the package to build when none is named and the directory has none: the
// only one under ./cmd, written "./cmd/app". The error lists what
// there is to choose from, one package to a line.
func findMain(ctx context.Context, c gocmd.Command, flags []string) (pkg string, err error) {
	if exists(filepath.Join(c.Dir, "cmd")) {
		mains, err := mainsIn(ctx, c, flags, "./cmd/...")
		switch {
		case err != nil:
			return "", err
		case len(mains) == 1:
			return mains[0], nil
		case len(mains) > 1:
			return "", choose(fmt.Sprintf("%d packages main under ./cmd, name one of them", len(mains)), mains)
		}
	}
	mains, err := mainsIn(ctx, c, flags, "./...")
	if err != nil {
		return "", err
	}
	if len(mains) == 0 {
		return "", fmt.Errorf("no package main in %s or below it: name the directory that has func main", c.Dir)
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
