//go:build linux

package zoo

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"devrun/devserver/suite"
)

// grpc is the server of gRPC's own interoperability tests: HTTP/2 without TLS.
var grpc = app{
	name:    "grpc",
	module:  "google.golang.org/grpc",
	version: "v1.85.0",
	pkg:     "./interop/server",
	ready:   "EmptyCall",
	prepare: func(v *visit) { v.args = []string{"-port", strconv.Itoa(v.Port)} },
	ask:     call,
	edits: map[string]edit{
		neutral: {
			changes: []change{{"interop/grpc_testing/test_grpc.pb.go", "method UnimplementedCall not implemented", "no method for zebras"}},
			path:    "UnimplementedCall", want: []string{"no method for zebras"},
		},
		line: {
			changes: []change{{"metadata/metadata.go", "func Pairs(kv ...string) MD {\n", "func Pairs(kv ...string) MD {\n\tkv = append(kv, \"x-zoo\", \"llama\")\n"},
				{"interop/test_utils.go", "\treturn new(testpb.Empty), nil\n", "\tgrpc.SetHeader(ctx, metadata.Pairs())\n\treturn new(testpb.Empty), nil\n"},
				{"interop/test_utils.go", "EmptyCall(context.Context, *", "EmptyCall(ctx context.Context, _ *"}},
			path: "EmptyCall", want: []string{"X-Zoo:[llama]"},
		},
	},
	not: map[string]string{
		embedded:  "it embeds none",
		added:     "it embeds none",
		style:     "it has no pages",
		config:    "it has none",
		panicking: "a panic ends a gRPC server, and the connection is not HTTP/1: no page can be the answer",
		failing:   "a gRPC error is an answer with status 200",
	},
}

// call is a call of the interoperability service with an empty message. The trailers,
// which have the status, are headers of the text.
func call(v *visit, method string) (string, error) {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	req, err := http.NewRequest("POST", v.URL("/grpc.testing.TestService/"+method), bytes.NewReader(make([]byte, 5)))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("TE", "trailers")
	resp, err := (&http.Client{Transport: transport, Timeout: suite.Patience}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %v %v\n%q", resp.StatusCode, resp.Header, resp.Trailer, body), nil
}
