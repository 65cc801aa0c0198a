package mailbox

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
)

// The first mail of the chapter, as Python's server printed it.
func TestPrint(t *testing.T) {
	raw := "From: no-reply@127.0.0.1\r\nTo: your-email@example.com,second@example.com\r\nSubject: Microblog Failure\r\n\r\n" +
		"Exception on /edit_profile [POST]\r\n[parameters: ('john', '<b>', 1)]\r\nboth ' and \"\\\x1b[2J\r\n"
	var out bytes.Buffer
	if err := Print(&out, Message{Peer: "127.0.0.1", Raw: []byte(raw), Options: []string{"SIZE=12", "BODY=8BITMIME"}}); err != nil {
		t.Fatal(err)
	}
	const want = `---------- MESSAGE FOLLOWS ----------
mail options: ['SIZE=12', 'BODY=8BITMIME']
b'From: no-reply@127.0.0.1'
b'To: your-email@example.com,second@example.com'
b'Subject: Microblog Failure'
b'X-Peer: 127.0.0.1'
b''
b'Exception on /edit_profile [POST]'
b"[parameters: ('john', '<b>', 1)]"
b'both \' and "\\\x1b[2J'
------------ END MESSAGE ------------
`
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", &out, want)
	}
}

// pythonServer is Python's DebuggingServer, which went with Python 3.12.
func pythonServer(t *testing.T) (addr string, out *bufio.Reader) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("NOT COMPARED with Python's DebuggingServer: there is no python3")
	}
	if err := exec.Command(python, "-W", "ignore", "-c", "import smtpd").Run(); err != nil {
		t.Skip("NOT COMPARED with Python's DebuggingServer: this python3 has no smtpd any more")
	}
	cmd := exec.Command(python, "-u", "-W", "ignore", "-c", `
import asyncore, smtpd
s = smtpd.DebuggingServer(("127.0.0.1", 0), None)
print(s.socket.getsockname()[1])
asyncore.loop()`)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	out = bufio.NewReader(stdout)
	port, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strings.TrimSpace(port)), out
}

// The same mails to both servers are printed alike. Only the order of the options
// is the client's there and always the same here.
func TestPrintsAsPython(t *testing.T) {
	addr, python := pythonServer(t)
	s, box := listen(t, Options{})
	random := rand.New(rand.NewPCG(8025, 1))
	alphabet := []string{"a", "Z", "'", `"`, `\`, "\t", "\x00", "\x1b[31m", "\x7f", "ü", "\xff", " ", ".", "\r\n", "\r\n", "\r\n\r\n", "\n", "\x0b", "\u2028"}
	mails := []string{sample, "Subject: no body\r\n", "Subject: x\r\n\r\n", "\r\nno header\r\n", ".\r\n", "Subject: x\r\n\r\nno end"}
	for range 40 {
		var b strings.Builder
		if random.IntN(4) > 0 {
			b.WriteString("From: a@example.com\r\nSubject: " + strconv.Itoa(random.IntN(1000)) + "\r\n")
		}
		for range random.IntN(60) {
			b.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		mails = append(mails, b.String()+"\r\n")
	}
	for _, raw := range mails {
		for _, to := range []string{addr, s.Addr().String()} {
			if err := deliver(to, raw); err != nil {
				t.Fatalf("%q to %s: %v", raw, to, err)
			}
		}
		got := box.all()
		var out strings.Builder
		if err := Print(&out, got[len(got)-1]); err != nil {
			t.Fatal(err)
		}
		want := strings.Replace(frame(t, python), "['BODY=8BITMIME', 'SIZE="+strconv.Itoa(len(raw))+"']", "['SIZE="+strconv.Itoa(len(raw))+"', 'BODY=8BITMIME']", 1)
		if out.String() != want {
			t.Errorf("%q is printed\n%s\nand by Python\n%s", raw, out.String(), want)
		}
	}
}

// deliver sends raw as it is, with its size and, of the client's own, 8BITMIME.
func deliver(addr, raw string) error {
	c, err := smtp.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Mail("a@example.com", &smtp.MailOptions{Size: int64(len(raw))}); err != nil {
		return err
	}
	if err := c.Rcpt("b@example.com", nil); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, raw); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// frame reads from one line of dashes to the other.
func frame(t *testing.T, out *bufio.Reader) string {
	t.Helper()
	var b strings.Builder
	for {
		line, err := out.ReadString('\n')
		if err != nil {
			t.Fatalf("%v after %q", err, b.String())
		}
		b.WriteString(line)
		if strings.HasPrefix(line, "------------ END") {
			return b.String()
		}
	}
}

// However it is made, a mail is printed in printable ASCII, and nothing in it
// looks like one of the two lines of dashes.
func FuzzPrint(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("\r\n------------ END MESSAGE ------------\r\n\x1b]0;x\a"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var out bytes.Buffer
		if err := Print(&out, Message{Peer: "127.0.0.1", Raw: raw}); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		for i, line := range lines {
			if edge := i == 0 || i == len(lines)-1; edge == strings.HasPrefix(line, "b") {
				t.Errorf("%q", line)
			}
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%q", line)
			}
		}
	})
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, fmt.Errorf("no") }

func TestPrintSaysWhatIsWrong(t *testing.T) {
	if err := Print(broken{}, Message{}); err == nil {
		t.Error("the error is swallowed")
	}
}
