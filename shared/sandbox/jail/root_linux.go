//go:build linux && (amd64 || arm64)

package jail

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// enterRoot makes a root folder in memory that holds the runtime read-only and
// a small /tmp, and makes it this process's root. The process has a mount
// namespace of its own and the right to mount in it.
func enterRoot(spec *childSpec) error {
	root := spec.Root
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	const hard = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount("tmpfs", root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=1m,nr_inodes=4096,mode=755"); err != nil {
		return fmt.Errorf("mount a root: %w", err)
	}
	unix.Umask(0o022)
	defer unix.Umask(0o077)
	for _, d := range spec.Dirs {
		if err := os.MkdirAll(root+d, 0o755); err != nil { //nolint:gosec // the child's uid must pass it
			return fmt.Errorf("make a mount point: %w", err)
		}
		if err := bind(d, root+d); err != nil {
			return err
		}
	}
	for _, f := range spec.Files {
		if err := os.MkdirAll(filepath.Dir(root+f), 0o755); err != nil { //nolint:gosec // see above
			return fmt.Errorf("make a mount point: %w", err)
		}
		if err := os.WriteFile(root+f, nil, 0o444); err != nil { //nolint:gosec // see above
			return fmt.Errorf("make a mount point: %w", err)
		}
		if err := bind(f, root+f); err != nil {
			return err
		}
	}
	for _, l := range spec.Links {
		if _, err := os.Lstat(root + l.Path); err == nil {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(root+l.Path), 0o755); err != nil { //nolint:gosec // see above
			return fmt.Errorf("make a link: %w", err)
		}
		if err := os.Symlink(l.Target, root+l.Path); err != nil {
			return fmt.Errorf("make a link: %w", err)
		}
	}
	tmp := root + "/tmp"
	if err := os.MkdirAll(tmp, 0o755); err != nil { //nolint:gosec // see above
		return fmt.Errorf("make /tmp: %w", err)
	}
	if err := unix.Mount("tmpfs", tmp, "tmpfs", hard, fmt.Sprintf("size=%d,nr_inodes=1024,mode=700,uid=%d,gid=%d", spec.Tmp, spec.UID, spec.UID)); err != nil {
		return fmt.Errorf("mount /tmp: %w", err)
	}
	if err := unix.Mount("", root, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
		return fmt.Errorf("make the root read-only: %w", err)
	}
	// The old root is put on top of the new one and taken away.
	if err := unix.Chdir(root); err != nil {
		return fmt.Errorf("enter the root: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("take the old root away: %w", err)
	}
	if err := unix.Chdir("/tmp"); err != nil {
		return fmt.Errorf("enter /tmp: %w", err)
	}
	return nil
}

// bind shows from at to, read-only.
func bind(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("show %s: %w", from, err)
	}
	// In a user namespace the flags that the mount came with must stay.
	var st unix.Statfs_t
	if err := unix.Statfs(to, &st); err != nil {
		return fmt.Errorf("look at %s: %w", from, err)
	}
	flags := uintptr(unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV)
	for _, f := range []struct{ st, ms uintptr }{
		{unix.ST_NOEXEC, unix.MS_NOEXEC}, {unix.ST_NOATIME, unix.MS_NOATIME},
		{unix.ST_NODIRATIME, unix.MS_NODIRATIME}, {unix.ST_RELATIME, unix.MS_RELATIME},
	} {
		if uintptr(st.Flags)&f.st != 0 {
			flags |= f.ms
		}
	}
	if err := unix.Mount("", to, "", flags, ""); err != nil {
		return fmt.Errorf("make %s read-only: %w", from, err)
	}
	return nil
}
