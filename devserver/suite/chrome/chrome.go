// Package chrome starts the browser of tests: Debian's Chromium, or its headless shell,
// which is the same engine without the windows and takes half of the processor's time. It
// is for tests and no part of devrun.
package chrome

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"

	"devrun/devserver/suite"
)

// ErrNone is that there is no Chromium on this machine, and none is required.
var ErrNone = errors.New("NOT TESTED: what the browser shows needs chromium, which is not on this machine")

// Open starts a browser with a fresh profile: the one that CHROMIUM names, as it does in
// the long suite, else the headless shell, else Chromium. Its tabs are the contexts that
// chromedp.NewContext makes of browser; close ends it. The error is [ErrNone] without a
// browser, unless DEVRUN_REQUIRE_CHROMIUM is set.
func Open() (browser context.Context, close func(), err error) { return open(names()...) }

func names() []string {
	if named := os.Getenv("CHROMIUM"); named != "" {
		return []string{named}
	}
	return []string{"chromium-headless-shell", "chromium"}
}

// open starts the first of these that is there.
func open(names ...string) (browser context.Context, close func(), err error) {
	var path string
	for _, name := range names {
		if path, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if err != nil {
		if os.Getenv("DEVRUN_REQUIRE_CHROMIUM") == "" {
			err = ErrNone
		}
		return nil, nil, err
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.WSURLReadTimeout(suite.Patience), chromedp.WindowSize(1280, 800),
		// The address bar's menu is a page, too, that nobody sees and that is made anew with
		// every tab: two fifths of all that Chromium does for a test of ours.
		chromedp.Flag("disable-features", "WebUIOmniboxPopup,WebUIOmniboxAimPopup"),
		// What sites share is as in Chromium, where the shell has them share all.
		chromedp.Flag("enable-features", "PartitionConnectionsByNetworkIsolationKey,SplitHostCacheByNetworkIsolationKey,SplitCacheByNetworkIsolationKey"),
	}
	for _, flag := range []string{
		"disable-background-networking", "disable-component-update", "disable-sync",
		"ignore-certificate-errors", // of [suite.Certificate]
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	browser, closeBrowser := chromedp.NewContext(allocator)
	close = func() { closeBrowser(); stop() }
	if err := chromedp.Do(browser); err != nil {
		close()
		return nil, nil, fmt.Errorf("start %s: %w", path, err)
	}
	return browser, close, nil
}

// Start is [Open] for one test. Without a browser the test is skipped.
func Start(t testing.TB) context.Context { t.Helper(); return start(t, names()...) }

// Whole is Start with Chromium itself, for what its windows have a part in: they guess
// which page will be wanted next, and connect ahead.
func Whole(t testing.TB) context.Context { t.Helper(); return start(t, "chromium") }

func start(t testing.TB, names ...string) context.Context {
	t.Helper()
	browser, close, err := open(names...)
	if errors.Is(err, ErrNone) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(close)
	return browser
}
