package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"devrun/devserver"
)

const longSMTP = `devrun smtp takes the mail that an app sends, prints it, and delivers nothing.
Set MAIL_SERVER=localhost and MAIL_PORT=8025 for the app. The flags rehearse the
troubles of a real mail server.`

// smtpCommand is the command line of devrun smtp. serve is called unless the help
// is asked for.
func smtpCommand(serve func(devserver.SMTP) error) *cobra.Command {
	s := devserver.SMTP{Addr: devserver.DefaultSMTP}
	cmd := &cobra.Command{
		Use:                   "devrun smtp [flags]",
		Long:                  longSMTP,
		DisableFlagsInUseLine: true,
		SilenceErrors:         true,
		SilenceUsage:          true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("devrun smtp --help lists the flags", "smtp takes flags only, not %q", args[0])
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error { return serve(s) },
	}
	cmd.SetUsageTemplate("Usage:\n  {{.UseLine}}\n\nFlags:\n{{.LocalFlags.FlagUsagesWrapped 100}}\n")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &usageError{err, "devrun smtp --help lists the flags"}
	})
	flags := cmd.Flags()
	flags.SortFlags = false
	for _, f := range []struct {
		name, arg, value, means string
		set                     func(string) error
	}{
		{"addr", "host:port", s.Addr, "where mail is taken", func(v string) error { return setSMTPAddr(&s, v) }},
		{"fail", "status", "", "refuse every mail: 451 for the moment, 554 for good", func(v string) error { return setFail(&s, v) }},
		{"delay", "time", "", "wait before each mail is answered, as in 10s", func(v string) error { return setDuration(&s.Delay, v, 0) }},
		{"require-auth", "user:password", "", "take mail only after this login", func(v string) error { return setLogin(&s, v) }},
	} {
		flags.Var(&setterValue{f.value, f.arg, f.set}, f.name, f.means)
	}
	flags.BoolVar(&s.StartTLS, "starttls", false, "offer STARTTLS with a certificate made for this run; a login needs it then")
	return cmd
}

// setterValue is a flag that is set at once.
type setterValue struct {
	text, kind string
	set        func(string) error
}

func (v *setterValue) String() string { return v.text }
func (v *setterValue) Type() string   { return v.kind }
func (v *setterValue) Set(s string) error {
	v.text = s
	return v.set(s)
}

func setSMTPAddr(s *devserver.SMTP, v string) error {
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return errors.New("it must be host:port, as in localhost:8025")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("the port must be a number from 0 to 65535")
	}
	s.Addr = v
	return nil
}

func setFail(s *devserver.SMTP, v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 400 || n > 599 {
		return errors.New("it must be a status from 400 to 599, as in 451 or 554")
	}
	s.Fail = n
	return nil
}

func setLogin(s *devserver.SMTP, v string) error {
	user, password, ok := strings.Cut(v, ":")
	if !ok || user == "" || password == "" {
		return errors.New("it must be user:password")
	}
	s.User, s.Password = user, password
	return nil
}

// runSMTP is devrun smtp; it returns the exit status.
func runSMTP(args []string) int {
	stop, _, interrupted := untilSignal()
	cfg := devserver.Config{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	cmd := smtpCommand(func(s devserver.SMTP) error {
		return devserver.ServeSMTP(stop, s, os.Stdout, func(addr string) {
			devserver.Notice(cfg, "mail to "+addr+" is printed here and not delivered"+troubles(s))
		})
	})
	cmd.SetArgs(args)
	cmd.SetOut(os.Stdout)
	cmd.SetErr(io.Discard)
	err := cmd.Execute()
	switch {
	case err != nil:
		devserver.Fail(cfg, err)
		return exitStatus(err)
	case interrupted():
		return exitInterrupted
	}
	return exitStopped
}

// troubles says what a server was told to do wrong.
func troubles(s devserver.SMTP) string {
	var all []string
	if s.User != "" {
		all = append(all, "a login is required")
	}
	if s.StartTLS {
		all = append(all, "STARTTLS is offered")
	}
	if s.Delay > 0 {
		all = append(all, "after "+s.Delay.Round(time.Millisecond).String())
	}
	if s.Fail > 0 {
		all = append(all, fmt.Sprintf("every mail is refused with %d", s.Fail))
	}
	if len(all) == 0 {
		return ""
	}
	return "; " + strings.Join(all, ", ")
}
