//go:build linux && (amd64 || arm64)

package jail

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	landlockCreateVersion = 1
	landlockRulePath      = 1

	landlockRead = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	// Everything of the first version: bits 0 to 12.
	landlockV1 = 1<<13 - 1
)

// landlockABI returns the kernel's version of landlock, 0 where there is none.
func landlockABI() int {
	v, _, e := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, landlockCreateVersion)
	if e != 0 {
		return 0
	}
	return int(v)
}

// restrictFiles lets this thread open the runtime and, in a root of its own,
// /tmp; nothing else. The system calls are used directly because only this
// thread lives on; a library would have to restrict all of them.
func restrictFiles(spec *childSpec) error {
	abi := landlockABI()
	handled := uint64(landlockV1)
	attr := unix.LandlockRulesetAttr{}
	if abi >= 2 {
		handled |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		handled |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 4 && !spec.Network {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if abi >= 5 {
		handled |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	attr.Handled_access_fs = handled
	// Older kernels accept the longer form as long as what they do not know is zero.
	ruleset, _, e := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if e != 0 {
		return fmt.Errorf("landlock: make a ruleset: %w", e)
	}
	defer func() { _ = unix.Close(int(ruleset)) }()
	for _, d := range spec.Dirs {
		if err := landlockAllow(int(ruleset), d, landlockRead); err != nil {
			return err
		}
	}
	for _, f := range spec.Files {
		if err := landlockAllow(int(ruleset), f, unix.LANDLOCK_ACCESS_FS_READ_FILE); err != nil {
			return err
		}
	}
	for _, f := range []string{spec.Python, spec.Loader} {
		if f == "" {
			continue
		}
		if err := landlockAllow(int(ruleset), f, unix.LANDLOCK_ACCESS_FS_READ_FILE|unix.LANDLOCK_ACCESS_FS_EXECUTE); err != nil {
			return err
		}
	}
	if spec.Namespaces != "" {
		if err := landlockAllow(int(ruleset), "/tmp", handled&^unix.LANDLOCK_ACCESS_FS_EXECUTE); err != nil {
			return err
		}
	}
	if _, _, e := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0); e != 0 {
		return fmt.Errorf("landlock: restrict: %w", e)
	}
	return nil
}

func landlockAllow(ruleset int, path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOENT) {
		return nil // what cannot be reached needs no permission
	}
	if err != nil {
		return fmt.Errorf("landlock: open %s: %w", path, err)
	}
	defer func() { _ = unix.Close(fd) }()
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)} //nolint:gosec // a descriptor
	if _, _, e := unix.RawSyscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), landlockRulePath, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); e != 0 {
		return fmt.Errorf("landlock: allow %s: %w", path, e)
	}
	return nil
}
