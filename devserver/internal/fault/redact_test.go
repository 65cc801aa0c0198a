package fault

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestSecrecy(t *testing.T) {
	for d, names := range map[degree]string{
		strong: "secretKey accessKey password Password userPassword passwd pass dbPass pwd secret SECRET_KEY clientSecret token csrf_token csrfToken CSRFToken " +
			"accessToken tokenID tokens jwt apiKey APIKey api_key X-Api-Key apikey signingKey signing_keys privateKey credentials creds cred dsn DSN " +
			"authtoken passphrase Proxy-Authorization authorizationHeader secrets",
		weak: "keyHash auth authHeader oauth session sessionID session_id cookie Set-Cookie private signature X-Signature csrf sid",
		open: "key Key key2 keys tokenizer tokenType token_count author authority keyboard keyName primaryKey publicKey foreignKey cacheKey monkey turkey " +
			"compass passenger bypass passed secretary passwordField passwordErr authURL sessionCount cookieName keyLen keyId cookieMaxAge tokenHeader " +
			"sessionize username id hash credit accredited designature",
	} {
		for name := range strings.FieldsSeq(names) {
			if got := secrecy(name); got != d {
				t.Errorf("%s: %d, want %d", name, got, d)
			}
		}
	}
}

func TestScrub(t *testing.T) {
	for in, want := range map[string]string{
		"dial postgres://blog:s3cret@db:5432/blog: refused":                 "dial postgres://blog:[redacted]@db:5432/blog: refused",
		"redis://:s3cret@cache/0":                                           "redis://:[redacted]@cache/0",
		"blog:s3cret@tcp(db:3306)/blog":                                     "blog:[redacted]@tcp(db:3306)/blog",
		"http://localhost:8080/a@b":                                         "http://localhost:8080/a@b",
		"mail to susan@example.com failed":                                  "mail to susan@example.com failed",
		"token eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJ-_ is bad":                 "token [redacted] is bad",
		"key AKIAIOSFODNN7EXAMPLE":                                          "key [redacted]",
		"Authorization: Bearer abc.def-123456":                              "Authorization: [redacted] [redacted]",
		"got Bearer abc.def-123456 here":                                    "got Bearer [redacted] here",
		"Bearer authentication failed":                                      "Bearer authentication failed",
		"-----BEGIN RSA PRIVATE KEY-----\nMII\n":                            "[redacted]",
		"a -----BEGIN PRIVATE KEY-----\\nMII\\n-----END PRIVATE KEY----- b": "a [redacted] b",
		"-----BEGIN PUBLIC KEY-----":                                        "-----BEGIN PUBLIC KEY-----",
		"ghp_0123456789abcdefghij0123":                                      "[redacted]",
		"no such key: a":                                                    "no such key: a",
		"bad password=hunter2&x=1":                                          "bad password=[redacted]&x=1",
		`{"password": "a \"b\" c", "x": 1}`:                                 `{"password": [redacted], "x": 1}`,
		`{\"password\": \"abc\", \"x\": 1}`:                                 `{\"password\": [redacted], \"x\": 1}`,
		"password: hunter2":                                                 "password: [redacted]",
		"the token is nil: token=nil":                                       "the token is nil: token=nil",
		"no match for tokenType=x":                                          "no match for tokenType=x",
		"PGPASSWORD='x y' psql":                                             "PGPASSWORD=[redacted] psql",
		"a plain sentence, with 17 words: none":                             "a plain sentence, with 17 words: none",
		"runtime error: index out of range [5] with length 3":               "runtime error: index out of range [5] with length 3",
	} {
		got := scrub(in)
		if got != want {
			t.Errorf("%q\n gives %q\n want  %q", in, got, want)
		}
		if again := scrub(got); again != got {
			t.Errorf("%q: again %q", got, again)
		}
	}
	if got, want := scrubHidden(`<input type="hidden" name="csrf_token" value="abc"><input name=user value=x>`),
		`<input type="hidden" name="csrf_token" value="[redacted]"><input name=user value=x>`; got != want {
		t.Errorf("%s", got)
	}
}

func secretive() Failure {
	s := func(name, text string) Value {
		return Value{Name: name, Type: "string", Kind: String, Text: fmt.Sprintf("%q", text), Len: int64(len(text))}
	}
	session := Value{Name: "session", Type: "*main.Session", Kind: Pointer, Text: `&{ID: "c2Vzc2lvbjE3", User: 17}`, Children: []Value{
		{Type: "main.Session", Kind: Struct, Text: `{ID: "c2Vzc2lvbjE3", User: 17}`, Children: []Value{s("ID", "c2Vzc2lvbjE3"), {Name: "User", Type: "int", Kind: Number, Text: "17"}}}}}
	deep := Value{Name: "a", Type: "*main.App", Kind: Pointer, Text: `&{cfg: {SecretKey: "hunter2hunter2", Addr: ":8080"}}`, Children: []Value{
		{Type: "main.App", Kind: Struct, Text: `{cfg: {SecretKey: "hunter2hunter2", Addr: ":8080"}}`, Children: []Value{
			{Name: "cfg", Type: "main.Config", Kind: Struct, Text: `{SecretKey: "hunter2hunter2", Addr: ":8080"}`, Children: []Value{s("SecretKey", "hunter2hunter2"), s("Addr", ":8080")}}}}}}
	shallow := Value{Name: "b", Type: "main.Config", Kind: Struct, Text: `{SecretKey: "not listed below", Addr: ":8080"}`}
	header := Value{Name: "h", Type: "http.Header", Kind: Map, Text: `{"Authorization": ["Bearer aaaaaaaa1"], "Accept": ["*/*"]}`, Len: 2, Children: []Value{
		{Name: `"Authorization"`, Type: "[]string", Kind: Slice, Text: `len 1 cap 1 ["Bearer aaaaaaaa1"]`, Len: 1, Cap: 1, Children: []Value{s("0", "Bearer aaaaaaaa1")}},
		{Name: `"Accept"`, Type: "[]string", Kind: Slice, Text: `len 1 cap 1 ["*/*"]`, Len: 1, Cap: 1, Children: []Value{s("0", "*/*")}}}}
	byID := Value{Name: "sessions", Type: "map[string]int", Kind: Map, Text: `{"c2Vzc2lvbjE4c2Vz": 18}`, Len: 1, Children: []Value{{Name: `"c2Vzc2lvbjE4c2Vz"`, Type: "int", Kind: Number, Text: "18"}}}
	return Failure{
		Message: "no user for tok-tok-tok-17 with password=p4ss", Notes: []string{"note"},
		Error:  &Error{Text: "dial postgres://u:pw@h: tok-tok-tok-17", Causes: []Error{{Text: "cookie c2Vzc2lvbjE3 is old"}}},
		Panics: []Error{{Text: "tok-tok-tok-17"}},
		Cause: Cause{
			Why: []Prose{Say("It is caused by %s, an error.", "bad tok-tok-tok-17"), Say("m is tok-tok-tok-17.")}, Note: "is tok-tok-tok-17",
			Error: &Error{Text: "password=p4ss", Causes: []Error{{Text: "cookie c2Vzc2lvbjE3 is old", Note: "text found in a.go:3"}}}, Sets: []Set{{0, 1, 7}},
		},
		Request: Request{URI: "/x?token=tok-tok-tok-17&q=go&api_key=%2Babcdefgh%2B", Header: []Field{
			{"Accept", []string{"*/*"}}, {"Authorization", []string{"Bearer aaaaaaaa1"}}, {"Cookie", []string{"sid=c2Vzc2lvbjE3; theme=dark"}},
			{"Referer", []string{"http://localhost/?token=tok-tok-tok-17"}}, {"X-Api-Key", []string{"k"}}, {"Proxy-Authorization", []string{"Basic dTpw"}},
		}, Form: []Field{{"csrf_token", []string{"tok-tok-tok-17", ""}}, {"name", []string{"susan"}}}},
		Production: Response{Header: []Field{{"Set-Cookie", []string{"sid=c2Vzc2lvbjE3; Path=/; HttpOnly"}}}, Body: `<input name="csrf" value="v4lu3"> tok-tok-tok-17 +abcdefgh+`},
		Calls: []Call{{Vars: []Value{
			session, deep, shallow, header, byID, s("token", "tok-tok-tok-17"), s("dsn", "file:x"), s("database", "postgres://u:pw@h/db"), s("copied", "is tok-tok-tok-17!"),
			{Name: "password", Kind: String, Type: "string", Text: `""`}, {Name: "auth", Type: "*main.Auth", Kind: Pointer, Nil: true, Text: "nil"},
			{Name: "isSecret", Type: "bool", Kind: Bool, Text: "true"}, {Name: "tokenFunc", Type: "func()", Kind: Func, Text: "main.f"},
			{Name: "priv", Type: "ed25519.PrivateKey", Kind: Slice, Text: "len 3 cap 3 [1, 2, 3]", Len: 3, Children: []Value{{Name: "0", Kind: Number, Type: "uint8", Text: "1"}}},
			s("author", "susan"), {Name: "keys", Type: "[]string", Kind: Slice, Text: `len 1 cap 1 ["a"]`, Len: 1, Cap: 1, Children: []Value{s("0", "a")}}, s("jwtText", "eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJ"),
		}}},
	}
}

func TestRedacted(t *testing.T) {
	f := secretive()
	before := fmt.Sprintf("%#v %#v %#v", f, *f.Error, *f.Cause.Error)
	r := Redacted(f)
	if after := fmt.Sprintf("%#v %#v %#v", f, *f.Error, *f.Cause.Error); after != before {
		t.Error("the failure itself was changed")
	}
	all := fmt.Sprintf("%+v %+v %+v %q", r, *r.Error, *r.Cause.Error, r.Cause)
	for _, secret := range []string{"tok-tok", "hunter2", "not listed", "c2Vzc2", "aaaaaaaa1", "p4ss", ":pw@", "abcdefgh", "dTpw", "v4lu3", "[1, 2, 3]", "file:x", "eyJ", "dark"} {
		if i := strings.Index(all, secret); i >= 0 {
			t.Errorf("%s is left: …%s", secret, all[max(0, i-60):min(len(all), i+40)])
		}
	}
	for _, kept := range []string{"susan", ":8080", "postgres://u:[redacted]@h/db", "sid=[redacted]; theme=[redacted]", "sid=[redacted]; Path=/; HttpOnly", "Bearer [redacted]",
		"token=[redacted]&q=go&api_key=[redacted]", "no user for [redacted] with password=[redacted]", `User Type:int Kind:number Text:17`, "main.f", "is [redacted]!", "text found in a.go:3", "It is caused by bad [redacted], an error. m is [redacted].", `{SecretKey: redacted, Addr: ":8080"}`} {
		if !strings.Contains(all, kept) {
			t.Errorf("%q is missing in %s", kept, all)
		}
	}
	for _, v := range r.Calls[0].Vars {
		want := strings.Contains("token dsn priv jwtText", v.Name)
		if v.Redacted != want {
			t.Errorf("%s: redacted is %t", v.Name, v.Redacted)
		}
		if v.Redacted && (v.Text != "" || v.Children != nil) {
			t.Errorf("%s keeps %q and %v", v.Name, v.Text, v.Children)
		}
	}
	if v, ok := At(f, 0, []int{1, 0, 0, 0}); !ok || v.Name != "SecretKey" || v.Redacted {
		t.Errorf("at the path is %+v", v)
	}
	if v, ok := At(r, 0, []int{1, 0, 0, 0}); !ok || v.Name != "SecretKey" || !v.Redacted {
		t.Errorf("at the path is %+v", v)
	}
	for _, path := range [][]int{nil, {99}, {-1}, {0, 5}, {0, 0, 0, 0, 0}} {
		if v, ok := At(f, 0, path); ok {
			t.Errorf("%v leads to %+v", path, v)
		}
	}
	if again := Redacted(r); !reflect.DeepEqual(again, r) {
		t.Errorf("again\n%+v\nonce\n%+v", again, r)
	}
	if !reflect.DeepEqual(Redacted(Failure{}), Failure{}) {
		t.Errorf("%+v", Redacted(Failure{}))
	}
}

// TestKey: what is only called key is a map's or a translation's, unless it is of
// bytes.
func TestKey(t *testing.T) {
	text := Value{Name: "key", Type: "string", Kind: String, Text: `"home.title"`, Len: 10}
	cipher := Value{Name: "key", Type: "[]uint8", Kind: Slice, Text: "len 2 cap 2 [17, 18]", Len: 2, Cap: 2, Children: []Value{{Name: "0", Kind: Number, Text: "17"}}}
	api := text
	api.Name = "apiKey"
	r := Redacted(Failure{
		Request: Request{URI: "/?key=home.title", Form: []Field{{"key", []string{"home.title"}}}},
		Calls:   []Call{{Vars: []Value{text, cipher, {Name: "s", Type: "main.signer", Kind: Struct, Text: "{key: len 2 cap 2 [17, 18]}", Children: []Value{cipher}}}}},
	})
	vars := r.Calls[0].Vars
	if vars[0].Redacted || !vars[1].Redacted || !vars[2].Children[0].Redacted || vars[2].Text != "{key: redacted}" {
		t.Errorf("%+v", vars)
	}
	if r.Request.URI != "/?key=home.title" || r.Request.Form[0].Values[0] != "home.title" {
		t.Errorf("%+v", r.Request)
	}
	if r := Redacted(Failure{Calls: []Call{{Vars: []Value{api}}}}); !r.Calls[0].Vars[0].Redacted {
		t.Errorf("%+v", r.Calls[0].Vars)
	}
}

// TestRetoldPointer: the line of a pointer to a struct is as Go writes it, also
// when it is made again.
func TestRetoldPointer(t *testing.T) {
	secret := Value{Name: "Password", Type: "string", Kind: String, Text: `"hunter2hunter2"`, Len: 14}
	for _, test := range []struct {
		fields []Value
		want   string
	}{
		{[]Value{secret}, "&{Password: redacted}"},
		{[]Value{{Name: "ID", Type: "int", Kind: Number, Text: "17"}, secret}, "&{ID: 17, Password: redacted}"},
		{[]Value{{Type: "main.User", Kind: Struct, Text: "{…}", Children: []Value{secret}}}, "&{Password: redacted}"},
	} {
		r := Redacted(Failure{Calls: []Call{{Vars: []Value{{Name: "u", Type: "*main.User", Kind: Pointer, Text: "&{…}", Children: test.fields}}}}})
		if got := r.Calls[0].Vars[0].Text; got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

func FuzzScrub(f *testing.F) {
	for _, s := range []string{`password: "a`, `token={`, "Bearer ", "\xff=\xfe", `secret:=[(`, `\"token\": \"`, "token: [redacted]", "key=key=key="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := scrub(s)
		scrubText(once, weak)
		scrubHidden(s)
		secrecy(s)
	})
}
