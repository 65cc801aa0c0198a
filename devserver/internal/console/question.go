package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxBody = 64 << 10
	maxSrc  = 16 << 10

	// maxFrame is more than a failure keeps of the deepest stack.
	maxFrame = 10_000

	// maxPath is deeper than values are shown.
	maxPath = 64
)

// question is the body of what is asked of a failure. Pointers tell what is
// missing from what is zero.
type question struct {
	Failure *string `json:"failure"`
	Frame   *int    `json:"frame"`
	Src     *string `json:"src"`
	Pos     *int    `json:"pos"`
	Path    steps   `json:"path"`
	From    *int    `json:"from"`
	Part    *string `json:"part"`
}

// steps lead from a frame to a value in it. Each is a number or a string, and
// is handed on as text.
type steps []string

func (s *steps) UnmarshalJSON(data []byte) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil || raw == nil {
		return err
	}
	*s = make(steps, len(raw))
	for i, step := range raw {
		if n, err := strconv.ParseUint(string(step), 10, 31); err == nil {
			(*s)[i] = strconv.FormatUint(n, 10)
		} else if len(step) == 0 || step[0] != '"' {
			return errors.New("a step is neither a number nor a string")
		} else if err := json.Unmarshal(step, &(*s)[i]); err != nil {
			return err
		}
	}
	return nil
}

// want is what a question must have besides the failure; more it must not have.
type want int

const (
	wantFrame want = 1 << iota
	wantSrc
	wantPos
	wantPath
	wantFrom
	wantPart
)

// ok answers for a question that is not as it must be.
func (q *question) ok(w http.ResponseWriter, wanted want) bool {
	var has want
	for bit, here := range map[want]bool{wantFrame: q.Frame != nil, wantSrc: q.Src != nil, wantPos: q.Pos != nil, wantPath: q.Path != nil,
		wantFrom: q.From != nil, wantPart: q.Part != nil} {
		if here {
			has |= bit
		}
	}
	switch {
	case q.Failure == nil || has != wanted:
		badRequest(w, "the question lacks a part or has one too many")
	case !isWord(*q.Failure):
		refuse(w, http.StatusNotFound, "unknown", ErrUnknown.Error())
	case q.Frame != nil && (*q.Frame < 0 || *q.Frame >= maxFrame):
		badRequest(w, ErrFrame.Error())
	case q.Src != nil && len(*q.Src) > maxSrc:
		refuse(w, http.StatusRequestEntityTooLarge, "refused", fmt.Sprintf("an expression has at most %d bytes", maxSrc))
	case q.Src != nil && strings.Contains(*q.Src, "\x00"):
		badRequest(w, "an expression has no NUL in it")
	case q.Pos != nil && (*q.Pos < 0 || *q.Pos > len(*q.Src) || *q.Pos < len(*q.Src) && !utf8.RuneStart((*q.Src)[*q.Pos])):
		badRequest(w, "pos is not a position in the expression")
	case q.From != nil && *q.From < 0:
		badRequest(w, "from is not the number of a part")
	case q.Part != nil && !isWord(*q.Part):
		badRequest(w, "the request has no such part")
	case len(q.Path) > maxPath:
		badRequest(w, fmt.Sprintf("path has at most %d steps", maxPath))
	default:
		return true
	}
	return false
}

// read takes one JSON value of the shape of into from the body, or answers for
// what is none. A body without a length is not read: browsers always give one.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	switch {
	case r.ContentLength < 0 || len(r.TransferEncoding) > 0:
		refuse(w, http.StatusLengthRequired, "refused", "the request does not say how long its body is")
		return false
	case r.ContentLength > maxBody:
		refuse(w, http.StatusRequestEntityTooLarge, "refused", fmt.Sprintf("a request has at most %d bytes", maxBody))
		return false
	}
	body, err := io.ReadAll(r.Body) // no more than Content-Length says
	if err != nil {
		refuse(w, http.StatusBadRequest, "refused", "the body did not arrive whole")
		return false
	}
	// What comes next may take longer than a body may.
	http.NewResponseController(w).SetReadDeadline(time.Time{})
	w.Header().Del("Connection")
	if !utf8.Valid(body) {
		badRequest(w, "the body is not UTF-8")
		return false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		badRequest(w, "the body is not what is asked for here")
		return false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		badRequest(w, "something follows what is asked for here")
		return false
	}
	return true
}

func badRequest(w http.ResponseWriter, reason string) {
	refuse(w, http.StatusBadRequest, "refused", reason)
}
