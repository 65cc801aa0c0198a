package term

import "unicode/utf8"

// MailKept says where the app's mail is taken.
func (t *Terminal) MailKept(addr string) {
	t.say(t.style.dim("mail to " + addr + " is kept, not sent"))
}

// maxSubject is as much of a subject as fits beside an address, in bytes.
const maxSubject = 60

// NewMail says that n mails have come. One has its subject; url is where they are
// read.
func (t *Terminal) NewMail(n int, subject, url string) {
	text := t.style.bold(count(n, "new mail"))
	if subject = visible(subject); subject != "" {
		if len(subject) > maxSubject {
			subject = subject[:maxSubject]
			for !utf8.ValidString(subject) {
				subject = subject[:len(subject)-1]
			}
			subject += "…"
		}
		text += ": " + subject
	}
	t.say(text + ", " + t.style.address(url))
}
