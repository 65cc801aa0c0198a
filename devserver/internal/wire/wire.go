//go:build go1.21

// Package wire is what the app's hook and devrun say to each other: one JSON
// object a line, over a socket that the app inherits.
//
// It is compiled into the app as well as into devrun, so it uses the standard
// library only and keeps to Go 1.21.
package wire

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// The environment of the app that its hook reads and takes away, so that what
// the app starts does not see it.
const (
	FD       = "DEVRUN_FD"        // number of the inherited socket
	Takeover = "DEVRUN_TAKEOVER"  // "0": report listeners, but leave them where they are
	Park     = "DEVRUN_HOOK_PARK" // how many failed goroutines stay parked, DefaultPark if it is no number; ParkStatus may follow
)

// Door is the name of the socket beside the binary at which processes of it ask to
// speak to devrun that have not inherited one.
const Door = ".devrun.sock"

// FailureHeader names, in the answer to a request that failed, the address of its
// failure.
const FailureHeader = "X-Devrun-Failure"

// ParkStatus says, behind the number in Park, that a handler is parked where
// it writes a 5xx, too.
const ParkStatus = ",5xx"

// DefaultPark is how many failures can be looked into at a time: each keeps the
// memory alive that its stack refers to.
const DefaultPark = 10

// ParkFor is how long a goroutine stays parked at most.
const ParkFor = 30 * time.Minute

// MaxMessage is the longest line either side accepts, in bytes: the app is not
// trusted to be reasonable.
const MaxMessage = 1 << 20

// Kind says what a Message is about.
type Kind string

// The messages of the hook, in the order of a process's life.
const (
	Hello     Kind = "hello"     // the hook is in place
	Listening Kind = "listening" // connections to Addr queue from now on
	Serving   Kind = "serving"   // net/http serves on the listener at Addr
	Opened    Kind = "opened"    // the app opens the file Path: told once, and once more when more is known, with Again or Kept
	Wrote     Kind = "wrote"     // it may write the file Path, or moves one there: told before it does, once
	Left      Kind = "left"      // it closes a file that it has opened to write: Stamp is how it leaves that
	Notice    Kind = "notice"    // the hook could not do its work as promised; Text says what
	Failed    Kind = "failed"    // a request failed: Failure
	Finished  Kind = "finished"  // the handler of a Status failure has returned: ID, Response is the whole answer
	Released  Kind = "released"  // the goroutine of a failure has gone on: ID
	Result    Kind = "result"    // what Eval gave: ID and Seq of the question, Result; none when the goroutine has gone on
	Peeked    Kind = "peeked"    // what Peek gave: Seq of the question, Memory
	Synced    Kind = "synced"    // all that came before Sync, with this Seq, was told
	Agreed    Kind = "agreed"    // the answer to Agree: Seq of the question, Terms
	Exiting   Kind = "exiting"   // os.Exit was called: Exit
)

// The messages of devrun.
const (
	Welcome Kind = "welcome" // to who has come to the door: it may speak. Park is as in the environment of the first process
	Sync    Kind = "sync"    // say Synced, with this Seq
	Answer  Kind = "answer"  // send Response as the answer to the request of failure ID
	Proceed Kind = "proceed" // failure ID was looked into: its handler may go on. Address and Own are of its answer
	Release Kind = "release" // the goroutine of failure ID need not stay; "" is all of them
	Eval    Kind = "eval"    // evaluate Expr in the goroutine of failure ID; Seq comes back with the Result
	Agree   Kind = "agree"   // say how the listener of Terms takes a client; Seq comes back with the Agreed
	Peek    Kind = "peek"    // read Memory, Addr and Size of it; Seq comes back with the Peeked. One at a time: another one meanwhile gets no answer
)

// MaxPeek is how many bytes a Peek gives at most: the answer has to find room in
// the socket at once.
const MaxPeek = 64 << 10

// Memory is a piece of the app's memory.
type Memory struct {
	Addr  uint64 `json:"addr"`
	Size  int    `json:"size,omitempty"`
	Bytes []byte `json:"bytes,omitempty"` // from Addr on, up to the first that cannot be read
	Error string `json:"error,omitempty"` // why nothing at all can be read, a sentence
}

// Terms are how a listener of net/http takes a client that speaks TLS, or HTTP/2 without
// it. The question has Addr and Hello.
type Terms struct {
	Addr  string       `json:"addr,omitempty"`
	Hello *ClientHello `json:"hello,omitempty"` // nil: without TLS

	HTTP2       bool `json:"http2,omitempty"` // understood without TLS
	Certificate      // no Chain: with TLS the client is for the app alone
	Config

	Why string `json:"why,omitempty"` // it is, half a sentence; "" where that is nobody's concern
}

// ClientHello is what a client begins TLS with, as in crypto/tls.ClientHelloInfo.
type ClientHello struct {
	ServerName        string   `json:"serverName,omitempty"`
	CipherSuites      []uint16 `json:"cipherSuites,omitempty"`
	SupportedCurves   []uint16 `json:"supportedCurves,omitempty"`
	SupportedPoints   []uint8  `json:"supportedPoints,omitempty"`
	SignatureSchemes  []uint16 `json:"signatureSchemes,omitempty"`
	SupportedProtos   []string `json:"supportedProtos,omitempty"`
	SupportedVersions []uint16 `json:"supportedVersions,omitempty"`
}

// Certificate is the one that a client is shown, with its private key: devrun shows it
// too while the app is away. It is kept in memory only.
type Certificate struct {
	Chain [][]byte `json:"chain,omitempty"` // DER
	Key   []byte   `json:"key,omitempty"`   // PKCS #8
	OCSP  []byte   `json:"ocsp,omitempty"`
	SCTs  [][]byte `json:"scts,omitempty"`
}

// Config is the rest of what is agreed on, as in crypto/tls.Config.
type Config struct {
	NextProtos       []string `json:"nextProtos,omitempty"`
	MinVersion       uint16   `json:"minVersion,omitempty"`
	MaxVersion       uint16   `json:"maxVersion,omitempty"`
	SuitesAllowed    []uint16 `json:"suitesAllowed,omitempty"`
	CurvePreferences []uint16 `json:"curvePreferences,omitempty"`
}

// HoldFor is how long a request waits for devrun, each time: to look (Proceed), to
// answer (Answer). Then the app goes on as if alone.
const HoldFor = 10 * time.Second

// Message is one line. Which fields are set depends on Kind.
type Message struct {
	Kind Kind `json:"kind"`

	// Hello: runtime.Version() and the parts of the hook that are active.
	Go    string   `json:"go,omitempty"`
	Parts []string `json:"parts,omitempty"`

	// Listening: Network is "tcp4", "tcp6" or "unix", Wanted the host:port that the
	// app asked for. Listening and Serving: Addr is the host:port where it answers;
	// equal to Wanted when the socket was not moved. Of "unix" both are the absolute path.
	Network string `json:"network,omitempty"`
	Wanted  string `json:"wanted,omitempty"`
	Addr    string `json:"addr,omitempty"`

	// Serving: the listener speaks TLS.
	TLS bool `json:"tls,omitempty"`

	// Welcome: see the variable Park.
	Park string `json:"park,omitempty"`

	// Opened and Wrote: absolute.
	Path string `json:"path,omitempty"`

	// Opened: for each request, or for the first of a kind alone.
	Again bool `json:"again,omitempty"`
	Kept  bool `json:"kept,omitempty"`

	// Left: see the function Stamp.
	Stamp string `json:"stamp,omitempty"`

	// Proceed: what the app's answer bears as FailureHeader, and whether it is the one
	// that goes out: then no Answer comes.
	Address string `json:"address,omitempty"`
	Own     bool   `json:"own,omitempty"`

	// Notice: one sentence for the user.
	Text string `json:"text,omitempty"`

	ID       string     `json:"id,omitempty"`
	Seq      int        `json:"seq,omitempty"`
	Failure  *Failure   `json:"failure,omitempty"`
	Response *Response  `json:"response,omitempty"`
	Exit     *Exit      `json:"exit,omitempty"`
	Expr     *Expr      `json:"expr,omitempty"`
	Result   *EvalValue `json:"result,omitempty"`
	Memory   *Memory    `json:"memory,omitempty"`
	Terms    *Terms     `json:"terms,omitempty"`
}

// Stamp is the state of a file: which one it is, its size and when it was last written.
func Stamp(inode uint64, size int64, written time.Time) string {
	return fmt.Sprint(inode, size, written.UnixNano())
}

// ErrTooLong is what Write returns for a message of more than MaxMessage bytes, of
// which it writes nothing.
var ErrTooLong = fmt.Errorf("message longer than %d bytes", MaxMessage)

// Write sends m as one line, in one call of w.Write.
func Write(w io.Writer, m Message) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(b) >= MaxMessage {
		return ErrTooLong
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// Reader reads messages.
type Reader struct{ s *bufio.Scanner }

// NewReader returns a Reader of r's lines.
func NewReader(r io.Reader) *Reader {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4096), MaxMessage)
	return &Reader{s}
}

// Next returns the next message, io.EOF when the other side is gone, and an
// error for a line that is too long or is no message; nothing after an error
// can be trusted.
func (r *Reader) Next() (Message, error) {
	var m Message
	if !r.s.Scan() {
		if err := r.s.Err(); err != nil {
			if errors.Is(err, bufio.ErrTooLong) {
				return m, ErrTooLong
			}
			return m, err
		}
		return m, io.EOF
	}
	if err := json.Unmarshal(r.s.Bytes(), &m); err != nil {
		return m, fmt.Errorf("not a message: %w", err)
	}
	return m, nil
}
