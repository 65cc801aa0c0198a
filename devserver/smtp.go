package devserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"devrun/devserver/internal/mailbox"
)

// DefaultSMTP is where mail is taken when nothing else is asked for.
const DefaultSMTP = "localhost:8025"

// SMTP says where mail is taken, and what trouble the server makes.
type SMTP struct {
	Addr           string
	Fail           int           // the status that refuses every mail, 0 for none
	Delay          time.Duration // before a mail is answered
	User, Password string        // who may send, "" for everybody
	StartTLS       bool          // with a certificate made for this run
}

// ServeSMTP takes mails until stop ends and prints them to out, each between two
// lines of dashes. It calls ready with its address when it can be reached. An
// error of out ends it.
func ServeSMTP(stop context.Context, s SMTP, out io.Writer, ready func(addr string)) error {
	var mu sync.Mutex
	broken := make(chan error, 1)
	server, err := mailbox.Listen(s.Addr, s.options(), func(m mailbox.Message) {
		mu.Lock()
		defer mu.Unlock()
		if err := mailbox.Print(out, m); err != nil {
			select {
			case broken <- err:
			default: // said already
			}
		}
	})
	if err != nil {
		return smtpError(s.Addr, err)
	}
	ready(shownAddr(s.Addr, server))
	select {
	case <-stop.Done():
		return server.Close()
	case err := <-broken:
		return errors.Join(fmt.Errorf("print a mail: %w", err), server.Close())
	}
}

func (s SMTP) options() mailbox.Options {
	return mailbox.Options{Fail: s.Fail, Delay: s.Delay, User: s.User, Password: s.Password, StartTLS: s.StartTLS}
}

// shownAddr is the address as it was asked for, with the port that it has.
func shownAddr(asked string, s *mailbox.Server) string {
	host, _, err := net.SplitHostPort(asked)
	if err != nil || host == "" {
		return s.Addr().String()
	}
	return net.JoinHostPort(host, strconv.Itoa(s.Addr().Port))
}

func smtpError(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return hinted{fmt.Errorf("listen on %s for mail: address already in use", addr), "another one may run; use --addr with another port"}
	}
	return fmt.Errorf("listen on %s for mail: %w", addr, err)
}
