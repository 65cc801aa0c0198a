package watcher

import "testing"

// On file systems that tell nothing of changes made elsewhere, changes are looked
// for.
func TestWhereNotificationsDoNotWork(t *testing.T) {
	for _, c := range []struct {
		magic int64
		kind  string
		poll  bool
	}{
		{0xef53, "ext4", false},
		{0x9123683e, "btrfs", false},
		{0x794c7630, "overlay", false},
		{0x01021994, "tmpfs", false},
		{0x01021997, "9p", true},
		{0x01021997, "", true},
		{0, "drvfs", true},
		{0x6969, "nfs4", true},
		{0xff534d42, "cifs", true},
		{0xfe534d42, "", true},
		{0x65735546, "fuse.sshfs", true},
		{0x65735546, "fuse", true},
		{0x65735546, "virtiofs", true},
		{0x65735546, "", true},
		{0x65735546, "fuse.fuse-overlayfs", false},
		{0x65735546, "fuseblk", false},
		{0x786f4256, "vboxsf", true},
		{0, "fakeowner", true},
		{0, "", false},
	} {
		if name, poll := needsPolling(c.magic, c.kind); poll != c.poll || poll && name == "" {
			t.Errorf("%#x %q: polling %v as %q, want %v", c.magic, c.kind, poll, name, c.poll)
		}
	}
}

func TestNotificationsWorkHere(t *testing.T) {
	if name, poll, err := mountPolls(t.TempDir()); poll || err != nil {
		t.Errorf("a temporary directory wants polling: %q, %v", name, err)
	}
}
