package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// The exit statuses. In production on Unix devrun becomes the app, so the status
// is the app's.
const (
	exitStopped     = 0   // a stop that was asked for
	exitFailed      = 1   // devrun could not go on
	exitUsage       = 2   // wrong usage or settings, or nothing to run
	exitInterrupted = 130 // Control-C, as of a program that a shell stops by it
)

const long = `devrun runs a Go web app while it is being written: a save is built, started
and on the screen, and the app imports nothing for it. With APP_ENV=production,
or without APP_ENV, it builds the app and becomes it.

The package is "." if that is a program, else the only program below ./cmd.
Arguments after -- go to the app.

devrun smtp takes mail instead, prints it and delivers nothing; devrun smtp --help
says how.

Each setting is taken from its flag, else its environment variable, else the
.env files of the app's directory, else its default. The files are .env,
.env.local, .env.$APP_ENV and .env.$APP_ENV.local; a later one wins, and the app
gets their variables, too.

Exit status: 0 after a stop that was asked for, 1 when devrun could not continue,
2 for wrong usage or settings, 130 after Control-C; in production the app's own.`

// invocation is what a command line and an environment ask for.
type invocation struct {
	Settings Settings
	Env      *Env
	Environ  []string // for the app, as of the start
	Notices  []string // worth a look, before anything is run
	Done     bool     // the help or the version was asked for and is printed
}

// flagValue is a flag as it was given; the settings table knows its meaning.
type flagValue struct{ text, kind string }

func (f *flagValue) String() string     { return f.text }
func (f *flagValue) Set(s string) error { f.text = s; return nil }
func (f *flagValue) Type() string       { return f.kind }

// parse makes an invocation of a command line. It prints nothing but the help
// and the version, to stdout; with an error the invocation says as much as is
// known of how to print it.
func parse(args, environ []string, stdout io.Writer) (*invocation, error) {
	inv := &invocation{Done: true}
	cmd := command()
	cmd.RunE = func(cmd *cobra.Command, args []string) error { // not reached for help and version
		inv.Done = false
		return inv.fill(cmd, args, environ)
	}
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(io.Discard) // errors are returned
	err := cmd.Execute()
	inv.Done = inv.Done && err == nil
	return inv, err
}

// command is the command line with a flag for each setting that has one.
func command() *cobra.Command {
	cmd := &cobra.Command{
		Use:                   "devrun [flags] [package] [-- app arguments]",
		Long:                  long,
		Version:               version(),
		Args:                  cobra.ArbitraryArgs,
		DisableFlagsInUseLine: true,
		SilenceErrors:         true,
		SilenceUsage:          true,
		CompletionOptions:     cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	cmd.SetUsageTemplate("Usage:\n  {{.UseLine}}\n\nFlags:\n{{.LocalFlags.FlagUsagesWrapped 100}}")
	cmd.SetVersionTemplate("devrun {{.Version}}\n")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		hint := "devrun --help lists the flags"
		var unknown interface{ GetSpecifiedName() string }
		switch pkg := cmd.Flags().Args(); {
		case len(pkg) > 0 && strings.HasPrefix(err.Error(), "unknown"):
			hint = "what is for the app goes behind --, as in devrun " + pkg[0] + " -- --port 8080"
		case errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) > 1:
			hint = "did you mean --" + nearest(unknown.GetSpecifiedName(), flagNames()) + "?"
		}
		return &usageError{err, hint}
	})
	flags := cmd.Flags()
	flags.SortFlags = false
	for _, row := range settings {
		if row.flag == "" {
			continue
		}
		f := &flagValue{row.value, row.arg}
		usage := row.means
		if row.env != "" {
			usage += " (" + row.env + ")"
		}
		if row.arg == "" {
			f.kind = "bool"
		}
		flags.VarP(f, row.flag, row.short, usage)
		if row.oldFlag != "" {
			flags.Var(&flagValue{kind: row.arg}, row.oldFlag, "")
			flags.Lookup(row.oldFlag).Hidden = true
		}
		if row.arg == "" {
			flags.Lookup(row.flag).NoOptDefVal = "true"
		}
	}
	return cmd
}

func flagNames() []string {
	var names []string
	for _, row := range settings {
		if row.flag != "" {
			names = append(names, row.flag)
		}
	}
	return names
}

// fill takes the settings from all sources.
func (inv *invocation) fill(cmd *cobra.Command, args, environ []string) error {
	flags := func(row setting) (string, string, bool) {
		for _, name := range []string{row.flag, row.oldFlag} {
			if f := cmd.Flags().Lookup(name); f != nil && f.Changed {
				return f.Value.String(), "--" + name, true
			}
		}
		return "", "", false
	}
	dir, _, _ := flags(setting{flag: "dir"})
	dir, dirErr := appDir(dir)
	inv.Env = NewEnv(dir, environ, func(notice string) { inv.Notices = append(inv.Notices, notice) })
	var envErr error
	if dirErr == nil {
		inv.Environ, _, envErr = inv.Env.Load()
	}
	env := func(row setting) (string, string, bool) {
		text, from, ok := inv.Env.Lookup(row.variables()...)
		if ok && row.env == noColor {
			text = "true"
		}
		return text, from, ok
	}
	var err error
	inv.Settings, err = resolve(flags, env)
	inv.Settings.Dir, inv.Settings.Mode = dir, inv.Env.Mode()
	for _, e := range []error{dirErr, envErr, err} {
		if e != nil {
			return e
		}
	}
	if err := inv.takeArgs(args, cmd.ArgsLenAtDash()); err != nil {
		return err
	}
	return inv.checkMode()
}

// appDir is the directory that --dir names, absolute; the current one for "".
func appDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("the current directory cannot be used: %w", err)
	}
	info, err := os.Stat(abs)
	switch {
	case err != nil:
		return abs, usagef("", "--dir %s: %w", dir, plainError(err))
	case !info.IsDir():
		return abs, usagef("", "--dir %s: it is not a directory", dir)
	}
	return abs, nil
}

// takeArgs splits the arguments at the dash, which is -1 if there is none.
func (inv *invocation) takeArgs(args []string, dash int) error {
	if dash >= 0 {
		args, inv.Settings.Args = args[:dash], args[dash:]
	}
	switch len(args) {
	case 0:
	case 1:
		inv.Settings.Package = args[0]
	default:
		return usagef("arguments of the app come after --, as in devrun "+args[0]+" -- "+strings.Join(args[1:], " "),
			"one package can be run, not %d", len(args))
	}
	return nil
}

// checkMode says when production is not what somebody chose, and refuses
// development where the app is deployed.
func (inv *invocation) checkMode() error {
	if inv.Settings.Mode == Development {
		if inv.Settings.Force {
			return nil
		}
		return looksDeployed(inv.Env)
	}
	_, _, app := inv.Env.Lookup("APP_ENV")
	_, _, flask := inv.Env.Lookup("FLASK_ENV")
	if !app && !flask {
		inv.Notices = append(inv.Notices, "APP_ENV is not set, running in production; APP_ENV=development watches and reloads")
	}
	return nil
}

// version is that of the module, or the commit that devrun was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return strings.Trim(info.Main.Version, "()")
}
