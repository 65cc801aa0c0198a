// Command mailer is a web app that mails what is posted to it.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/smtp"
	"os"
)

const version = "v1"

func main() {
	http.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, version) })
	http.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, os.Getenv("MAIL_SERVER")+" "+os.Getenv("MAIL_PORT"))
	})
	http.HandleFunc("POST /mail", func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err == nil {
			to := net.JoinHostPort(os.Getenv("MAIL_SERVER"), os.Getenv("MAIL_PORT"))
			err = smtp.SendMail(to, nil, "app@example.test", []string{"susan@example.test", "john@example.test"}, text)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	})
	log.Fatal(http.ListenAndServe(net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), nil))
}
