package hook

import (
	"strings"
	"testing"

	"devrun/devserver/internal/wire"
	"devrun/devserver/suite"
)

// Frameworks, with the recovery that they bring.
func TestLongFrameworks(t *testing.T) {
	suite.Long(t)
	for name, c := range map[string]struct {
		recovered string // what production would send
		failed    string
		calls     string // what writes the error, innermost first, until the app's own line
	}{
		"chi":        {"", "no such table\n", "github.com/go-chi/chi/v5/middleware.(*basicWriter).WriteHeader net/http.Error main.main.func2"},
		"gin":        {"", `{"error":"no such table"}`, "github.com/gin-gonic/gin.(*responseWriter).Write"},
		"echo4":      {`{"message":"Internal Server Error"}` + "\n", "no such table", "github.com/labstack/echo/v4.(*Response).Write"},
		"mux":        {"", "no such table\n", ""},
		"httprouter": {"", "no such table\n", "fmt.Fprintln net/http.Error main.main.func3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := absolute(t, "testdata/"+name)
			p := project{module: "example.com/app", dir: dir, flags: []string{"-gcflags=-N -l"}}
			if out, err := p.command("mod", "download").CombinedOutput(); err != nil {
				t.Skipf("NOT TESTED, needs the network: %v\n%s", err, out)
			}
			app := run(t, p.build(t), nil, "127.0.0.1:0")
			url := "http://" + app.serving().Addr

			done := app.ask(&client, "GET", url+"/panic", nil)
			f := app.failure()
			equal(t, "how", f.How+" "+f.Text, "recovered "+nilText)
			equal(t, "place", at(f), line(t, name, "LOOKUP"))
			equal(t, "top", f.Frames[0].Func, "main.lookup")
			equal(t, "response", string(f.Response.Body), c.recovered)
			equal(t, "status", f.Response.Status, 500)
			app.show(f.ID)
			app.page(done)

			done = app.ask(&client, "GET", url+"/error", nil)
			f = app.failure()
			equal(t, "how", f.How, "status")
			equal(t, "place", at(f), line(t, name, "ERROR"))
			var calls []string
			for _, call := range f.Frames {
				calls = append(calls, call.Func)
			}
			if s := strings.Join(calls, " "); !strings.HasPrefix(s, c.calls) {
				t.Errorf("frames %s, want %s", s, c.calls)
			}
			app.say(wire.Message{Kind: wire.Proceed, ID: f.ID})
			m := app.next(wire.Finished)
			if name != "mux" { // which compresses
				equal(t, "body", string(m.Response.Body), c.failed)
			}
			app.show(f.ID)
			app.page(done)

			if name == "echo4" {
				done = app.ask(&client, "GET", url+"/returned", nil)
				f = app.failure()
				equal(t, "returned", f.How+" "+at(f), "status nowhere")
				app.say(wire.Message{Kind: wire.Release, ID: f.ID})
				app.next(wire.Finished)
				app.show(f.ID)
				app.page(done)
			}
			app.say(wire.Message{Kind: wire.Release})
		})
	}
}
