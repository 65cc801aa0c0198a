package errormail

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"

	"devrun/sample/internal/scrub"
)

const subject = "Microblog Failure"

func compose(cfg Config, r report) (*mail.Msg, error) {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := msg.From(cfg.From); err != nil {
		return nil, fmt.Errorf("MAIL_FROM: %w", err)
	}
	if err := msg.To(cfg.Admins...); err != nil {
		return nil, fmt.Errorf("ADMINS: %w", err)
	}
	msg.Subject(subject)
	msg.SetDate()
	msg.SetMessageID()
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // who is away does not answer
	msg.SetBodyString(mail.TypeTextPlain, r.body())
	return msg, nil
}

// send mails a report, within ctx and sendTimeout. A mail that the server has
// taken is sent, however the connection ends.
func (m *Mailer) send(ctx context.Context, r report) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	msg, err := compose(m.cfg, r)
	if err != nil {
		return err
	}
	// The library bounds each step; the connection that ends with ctx bounds all.
	dial := func(ctx2 context.Context, network, _ string) (net.Conn, error) {
		conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx2, network, net.JoinHostPort(m.cfg.Server, strconv.Itoa(m.cfg.Port)))
		if err == nil {
			context.AfterFunc(ctx, func() { conn.Close() })
		}
		return conn, err
	}
	client, err := mail.NewClient(m.cfg.Server, append(m.cfg.options(), mail.WithTimeout(sendTimeout), mail.WithDialContextFunc(dial))...)
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, msg)
	if msg.IsDelivered() {
		return nil
	}
	return err
}

// options are how to talk to the server. TLS that is asked for is mandatory, and
// a login without it is for this machine only, as ConfigFrom sees to.
func (c Config) options() []mail.Option {
	o := []mail.Option{mail.WithTLSPolicy(mail.NoTLS)}
	if c.UseTLS {
		o = []mail.Option{
			mail.WithTLSPolicy(mail.TLSMandatory),
			mail.WithTLSConfig(&tls.Config{ServerName: c.Server, RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12}),
		}
	}
	if c.Username != "" {
		o = append(o, mail.WithUsername(c.Username), mail.WithPassword(c.Password),
			mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthPlain, mail.SMTPAuthLogin))
	}
	return o
}

// permanent holds for the answers of a server that would be the same another
// time.
func permanent(err error) bool {
	var send *mail.SendError
	if errors.As(err, &send) && send.ErrorCode() >= 500 {
		return true
	}
	var answer *textproto.Error
	return errors.As(err, &answer) && answer.Code >= 500
}

// safe is the text of an error without the password, which a server may repeat.
func (m *Mailer) safe(err error) string {
	text := err.Error()
	if p := m.cfg.Password; p != "" {
		for _, secret := range []string{p, base64.StdEncoding.EncodeToString([]byte(p)), base64.StdEncoding.EncodeToString([]byte("\x00" + m.cfg.Username + "\x00" + p))} {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return scrub.Line(text)
}
