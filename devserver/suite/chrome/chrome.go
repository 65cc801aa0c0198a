// Package chrome starts the browser of tests: Debian's Chromium. It is for tests and no
// part of devrun.
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

// Open starts Chromium with a fresh profile. Its tabs are the contexts that
// chromedp.NewContext makes of browser; close ends it. The error is [ErrNone] without
// Chromium, unless DEVRUN_REQUIRE_CHROMIUM is set.
func Open() (browser context.Context, close func(), err error) {
	path, err := exec.LookPath("chromium")
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
	}
	for _, off := range []string{"disable-background-networking", "disable-component-update", "disable-sync"} {
		options = append(options, chromedp.Flag(off, true))
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

// Start is [Open] for one test. Without Chromium the test is skipped.
func Start(t testing.TB) context.Context {
	t.Helper()
	browser, close, err := Open()
	if errors.Is(err, ErrNone) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(close)
	return browser
}
