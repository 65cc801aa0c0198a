//go:build linux

package zoo

import (
	"fmt"
	"net/http"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// syncthing keeps directories alike: a process that watches over the one that serves.
var syncthing = app{
	name:    "syncthing",
	module:  "github.com/syncthing/syncthing",
	version: "v1.30.0",
	pkg:     "./cmd/syncthing",
	ready:   "/rest/noauth/health",
	page:    "/",
	prepare: func(v *visit) {
		v.goCommand("lib/api/auto", "run", "../../../script/genassets.go", "-o", "gui.files.go", "../../../gui")
		// Nothing of it leaves this machine.
		v.Write("zoo/config.xml", fmt.Sprintf(`<configuration version="37">
    <gui enabled="true" tls="false">
        <address>127.0.0.1:%d</address>
        <apikey>zoo</apikey>
    </gui>
    <options>
        <listenAddress>tcp://127.0.0.1:%d</listenAddress>
        <globalAnnounceEnabled>false</globalAnnounceEnabled>
        <localAnnounceEnabled>false</localAnnounceEnabled>
        <relaysEnabled>false</relaysEnabled>
        <natEnabled>false</natEnabled>
        <startBrowser>false</startBrowser>
        <crashReportingEnabled>false</crashReportingEnabled>
        <urAccepted>-1</urAccepted>
        <urSeen>3</urSeen>
        <autoUpgradeIntervalH>0</autoUpgradeIntervalH>
        <releasesURL></releasesURL>
        <maxSendKbps>0</maxSendKbps>
    </options>
</configuration>
`, v.Port, suite.FreePort(v.T)))
		v.Env = append(v.Env, "STGUIASSETS=gui", "STNOUPGRADE=1", "STNODEFAULTFOLDER=1")
		v.args = []string{"serve", "--no-browser", "--config", "zoo", "--data", v.T.TempDir()}
	},
	ask: func(v *visit, path string) (string, error) {
		resp, body, err := e2e.Ask(http.MethodGet, v.URL(path), nil, "X-API-Key", "zoo")
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%d %v\n%s", resp.StatusCode, resp.Header, body), nil
	},
	edits: map[string]edit{
		neutral: {
			changes: []change{{"lib/api/api.go", `{"status": "OK"}`, `{"status": "fed"}`}},
			path:    "/rest/noauth/health", want: []string{`"status": "fed"`},
		},
		line: {
			changes: []change{{"lib/build/build.go", "\tLongVersion = LongVersionFor(\"syncthing\")\n", "\tVersion += \"-zebra\"\n\tLongVersion = LongVersionFor(\"syncthing\")\n"}},
			path:    "/", want: []string{"-zebra]"},
		},
		embedded: {
			changes: []change{{"gui/default/index.html", "<body>", `<body id="zebra">`}},
			path:    "/", want: []string{`<body id="zebra">`},
		},
		style: {
			changes: []change{{"gui/default/assets/css/overrides.css", "{", "{ --zoo-stripes: 5;"}},
			path:    "/assets/css/overrides.css", want: []string{"--zoo-stripes: 5;"},
			says: `^devrun: gui/default/assets/css/overrides\.css saved, stylesheet swapped$`,
		},
		config: {
			changes: []change{{"zoo/config.xml", "<maxSendKbps>0<", "<maxSendKbps>41<"}},
			path:    "/rest/config/options", want: []string{`"maxSendKbps": 41`},
		},
		panicking: {
			changes: []change{{"lib/api/api.go", "\tsendJSON(w, map[string]string{\"status\": \"OK\"})\n", "\tanimals, keeper := 41, (*http.Cookie)(nil)\n\tkeeper.MaxAge = animals\n"}},
			path:    "/rest/noauth/health", want: []string{"nil pointer dereference", "keeper is nil", "lib/api/api.go:1644", "animals", "41"},
		},
		failing: {
			changes: []change{{"lib/api/api.go", "\tsendJSON(w, map[string]string{\"status\": \"OK\"})\n", "\tanimals := 41\n\tsendJSON(w, map[string]any{\"animals\": animals, \"broken\": func() {}})\n"}},
			path:    "/rest/noauth/health", want: []string{"unsupported type: func()", "lib/api/api.go:1644"},
		},
	},
	not: map[string]string{
		added: "a generator writes what it embeds into a Go file",
	},
}
