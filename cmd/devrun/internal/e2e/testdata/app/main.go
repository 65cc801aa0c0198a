// Command app is what the end-to-end tests run: a web app with handlers for
// what is hard to pass on, and switches for what apps do badly.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"example.test/app/web"
)

const version = "v1"

func main() {
	if code := os.Getenv("EXIT_AT_START"); code != "" {
		n, _ := strconv.Atoi(code)
		fmt.Fprintln(os.Stderr, "the last words")
		os.Exit(n)
	}
	if os.Getenv("PANIC_AT_START") != "" {
		var nothing *http.Request
		fmt.Println(nothing.URL)
	}
	if os.Getenv("FORK_CHILD") != "" {
		child := exec.Command("sleep", "300")
		if err := child.Start(); err != nil {
			log.Fatal(err)
		}
		grandchild := exec.Command("sleep", "301")
		grandchild.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := grandchild.Start(); err != nil {
			log.Fatal(err)
		}
		fmt.Println("children", child.Process.Pid, grandchild.Process.Pid)
	}
	for i := range int(millis("OPEN_FIRST") / time.Millisecond) {
		if _, err := os.ReadFile(fmt.Sprintf("%s/%d.html", os.Getenv("OPEN_IN"), i)); err != nil {
			log.Fatal(err)
		}
	}
	if os.Getenv("TRY_PORT") != "" { // as some do to say in their own words that it is in use
		probe, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")))
		if err != nil {
			log.Fatal(err)
		}
		probe.Close()
	}
	time.Sleep(millis("STARTUP_MS"))
	network, addr := "tcp", net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT"))
	if path := os.Getenv("SOCKET"); path != "" {
		network, addr = "unix", path
	}
	ln, err := net.Listen(network, addr)
	if err != nil {
		log.Fatal(err)
	}
	if port := os.Getenv("SECOND_PORT"); port != "" {
		go func() {
			log.Fatal(http.ListenAndServe("127.0.0.1:"+port, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintln(w, "second", version)
			})))
		}()
	}
	srv := &http.Server{Handler: web.Handler(version)}
	if os.Getenv("IGNORE_TERM") != "" {
		signal.Ignore(syscall.SIGTERM, os.Interrupt)
	}
	if drain := millis("DRAIN_MS"); drain > 0 {
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM, os.Interrupt)
		go func() {
			<-term
			time.Sleep(drain)
			fmt.Println("drained", srv.Shutdown(context.Background()))
			os.Exit(0)
		}()
	}
	fmt.Println("listening as", os.Getpid())
	serve := func() error { return srv.Serve(ln) }
	if cert := os.Getenv("CERT"); cert != "" {
		serve = func() error { return srv.ServeTLS(ln, cert, os.Getenv("CERT_KEY")) }
	}
	if os.Getenv("H2C") != "" {
		srv.Protocols = &http.Protocols{}
		srv.Protocols.SetHTTP1(true)
		srv.Protocols.SetUnencryptedHTTP2(true)
	}
	if err := serve(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	select {} // until it is drained
}

func millis(name string) time.Duration {
	n, _ := strconv.Atoi(os.Getenv(name))
	return time.Duration(n) * time.Millisecond
}
