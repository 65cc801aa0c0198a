package watcher

import (
	"fmt"
	"strings"
)

// needsPolling decides from what the kernel says of a mount whether changes made
// elsewhere (a server, the host of a virtual machine) stay silent there. magic
// is the type number of statfs, kind the type name of the mount table, either of
// which may be unknown (0, ""). name is what to call it in a sentence.
func needsPolling(magic int64, kind string) (name string, poll bool) {
	if sub, ok := strings.CutPrefix(kind, "fuse."); ok || kind == "fuse" || kind == "fuseblk" {
		switch {
		case kind == "fuseblk", sub == "fuse-overlayfs", sub == "gocryptfs", sub == "encfs":
			return kind, false // all writes come through this mount
		}
		return kind, true
	}
	switch kind {
	case "9p", "drvfs", "nfs", "nfs4", "cifs", "smb3", "smbfs", "vboxsf", "virtiofs", "prl_fs", "vmhgfs",
		"fakeowner", "afs", "ceph", "lustre":
		return kind, true
	}
	if name, ok := remote[magic]; ok {
		return name, true
	}
	return kind, false
}

// remote holds the statfs numbers (linux/magic.h and the drivers' own sources)
// of file systems that others write to behind the kernel's back.
var remote = map[int64]string{
	0x01021997: "9p",
	0x6969:     "nfs",
	0x517b:     "smb",
	0xff534d42: "cifs",
	0xfe534d42: "smb3",
	0x65735546: "fuse",
	0x786f4256: "vboxsf",
	0xbacbacbc: "vmhgfs",
	0x7c7c6673: "prl_fs",
	0x5346414f: "afs",
	0x00c36400: "ceph",
	0x0bd00bd0: "lustre",
}

// silent says why a file system is polled.
func silent(path, name string) error {
	return fmt.Errorf("file notifications do not work on %s (%s)", path, name)
}
