//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// account is whom the server runs as. PostgreSQL refuses to run as root, so
// root lends it an account without rights.
type account struct {
	uid, gid int
	switched bool // differs from this process's own
}

// pickAccount returns this process's own account, or for root an unprivileged
// one: the owner of existing data, else nobody.
func pickAccount(data string) account {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}
	}
	if info, err := os.Stat(data); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 {
			return account{uid: int(st.Uid), gid: int(st.Gid), switched: true}
		}
	}
	a := account{uid: 65534, gid: 65534, switched: true}
	if nobody, err := user.Lookup("nobody"); err == nil {
		if uid, err := strconv.Atoi(nobody.Uid); err == nil && uid > 0 {
			a.uid = uid
		}
		if gid, err := strconv.Atoi(nobody.Gid); err == nil && gid > 0 {
			a.gid = gid
		}
	}
	return a
}

// canReach reports whether the account may pass through every folder above and
// including dir, which must exist.
func (a account) canReach(dir string) bool {
	if !a.switched {
		return true
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	for {
		info, err := os.Stat(real)
		if err != nil {
			return false
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return false
		}
		mode := info.Mode().Perm()
		switch {
		case int(st.Uid) == a.uid:
			mode >>= 6
		case int(st.Gid) == a.gid:
			mode >>= 3
		}
		if mode&1 == 0 {
			return false
		}
		parent := filepath.Dir(real)
		if parent == real {
			return true
		}
		real = parent
	}
}

// own gives everything below root to the account.
func (a account) own(root string) error {
	if !a.switched {
		return nil
	}
	return filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, a.uid, a.gid)
	})
}

// lockWait takes an exclusive lock on a file, waiting for its holder. The
// kernel drops it when the process ends, however it ends.
func lockWait(ctx context.Context, path string) (unlock func(), err error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		unlock, err = lockNow(path)
		if !errors.Is(err, errLocked) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

var errLocked = errors.New("locked by another process")

// lockNow takes an exclusive lock on a file, or answers errLocked.
func lockNow(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the lock file: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}

// freeSpace is the space left for the file system that holds dir, in bytes.
func freeSpace(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil //nolint:unconvert // the field types differ by system
}

// Lock takes an exclusive lock on a file, waiting for its holder until ctx ends.
// The kernel frees it when the process ends, however it ends.
func Lock(ctx context.Context, path string) (unlock func(), err error) { return lockWait(ctx, path) }

// InUse reports whether a running process holds the data folder.
func InUse(dataDir string) bool {
	if _, err := os.Stat(dataDir); err != nil {
		return false
	}
	unlock, err := lockNow(filepath.Join(dataDir, "lock"))
	if err != nil {
		return errors.Is(err, errLocked)
	}
	unlock()
	return false
}
