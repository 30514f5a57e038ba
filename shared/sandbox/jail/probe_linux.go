//go:build linux && (amd64 || arm64)

package jail

import (
	"context"
	"debug/elf"
	_ "embed" // the probe
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/millrace/millrace/shared/sandbox/driver"
	"golang.org/x/sys/unix"
)

//go:embed probe.py
var probeScript string

// unprivileged is who a child of root becomes.
const unprivileged = 65534

const (
	probeTimeout = 20 * time.Second
	noPython     = "No usable python3 was found (%s). Install Python 3.8 or later, name it in the settings, or set CODE_EXECUTION_ENDPOINT to a sandbox service."
	noIsolation  = "Python code cannot be kept away from this machine's files: it needs landlock (Linux 5.13 or later, enabled) or namespaces (root with CAP_SYS_ADMIN, or unprivileged user namespaces). Enable one of them or set CODE_EXECUTION_ENDPOINT to a sandbox service. (%s)"
	noSeccomp    = "User code cannot be jailed: a child with a seccomp filter did not start. Allow seccomp filters (Linux 4.14 or later) or set CODE_EXECUTION_ENDPOINT to a sandbox service. (%s)"
)

// makePlan finds the strongest jail that works here by trying: what a kernel
// version promises and what a container allows are different things.
func (d *Driver) makePlan(ctx context.Context, lang driver.Language) (*plan, error) {
	base := childSpec{Language: lang, Memory: d.opts.Memory}
	if unix.Geteuid() == 0 {
		base.UID = unprivileged
	}
	if lang == driver.JavaScript {
		return d.planJavaScript(ctx, base)
	}
	base.Tmp = d.opts.Tmp
	var reasons []string
	found := false
	for _, name := range d.pythonCandidates() {
		spec, err := d.probePython(ctx, base, name)
		if err != nil {
			if ctx.Err() != nil {
				return nil, fmt.Errorf("look for python3: %w", ctx.Err())
			}
			reasons = append(reasons, err.Error())
			continue
		}
		found = true
		p, err := d.tryIsolation(ctx, spec)
		if err != nil {
			if ctx.Err() != nil {
				return nil, fmt.Errorf("try the code sandbox: %w", ctx.Err())
			}
			reasons = append(reasons, err.Error())
			continue
		}
		return p, nil
	}
	if len(reasons) == 0 {
		reasons = []string{"none on the PATH"}
	}
	text := noPython
	if found {
		text = noIsolation
	}
	return &plan{refused: driver.Errorf(driver.Unavailable, text, strings.Join(reasons, "; "))}, nil
}

func (d *Driver) planJavaScript(ctx context.Context, spec childSpec) (*plan, error) {
	p := &plan{spec: spec}
	_, err := d.run(ctx, p, &driver.Request{
		Language: driver.JavaScript, Code: "function main() { return {ok: 1} }", Inputs: json.RawMessage("{}"),
		Timeout: probeTimeout, MaxOutput: 1 << 10, MaxStdout: 1 << 10,
	})
	if err == nil {
		return p, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("try the code sandbox: %w", ctx.Err())
	}
	return &plan{refused: driver.Errorf(driver.Unavailable, noSeccomp, err)}, nil
}

// tryIsolation runs a trial in each combination of layers, the strongest first.
func (d *Driver) tryIsolation(ctx context.Context, spec childSpec) (*plan, error) {
	var modes []string
	if !d.opts.NoNamespaces {
		if unix.Geteuid() == 0 {
			modes = append(modes, "root", "user")
		} else {
			modes = append(modes, "user")
		}
	}
	modes = append(modes, "")
	landlock := !d.opts.NoLandlock && landlockABI() > 0
	var reasons []string
	for _, mode := range modes {
		if mode == "" && !landlock && !d.opts.TrustFilesystem {
			reasons = append(reasons, "landlock is not enabled")
			continue
		}
		p := &plan{spec: spec}
		p.spec.Namespaces, p.spec.Landlock = mode, landlock
		if mode != "" {
			p.spec.Root = rootFolder()
		}
		_, err := d.run(ctx, p, &driver.Request{
			Language: driver.Python3, Code: "def main():\n    return {'ok': 1}\n", Inputs: json.RawMessage("{}"),
			Timeout: probeTimeout, MaxOutput: 1 << 10, MaxStdout: 1 << 10,
		})
		if err == nil {
			return p, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("trial run: %w", ctx.Err())
		}
		reasons = append(reasons, fmt.Sprintf("%s: %v", p.describe(), err))
	}
	return nil, errors.New(strings.Join(reasons, "; "))
}

// rootFolder names the empty folder on which children mount their root. All
// processes of a user share it: a mount is seen by the child alone.
func rootFolder() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("millrace-jail-%d", os.Geteuid()))
}

// makeRootFolder makes the folder if it is not there; some systems tidy up.
func makeRootFolder(path string) error {
	if err := os.Mkdir(path, 0o755); err == nil || !errors.Is(err, os.ErrExist) { //nolint:gosec // empty, and the child's uid must pass it
		return err
	}
	st, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); !st.IsDir() || !ok || int(sys.Uid) != os.Geteuid() {
		return fmt.Errorf("%s is not a folder of this user", path)
	}
	return nil
}

func (d *Driver) pythonCandidates() []string {
	if d.opts.Python != "" {
		return []string{d.opts.Python}
	}
	names := []string{"python3", "/usr/bin/python3", "/usr/local/bin/python3", "/var/lang/bin/python3", "/opt/bin/python3"}
	var out []string
	for _, n := range names {
		if p, err := exec.LookPath(n); err == nil && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// probed is what probe.py prints.
type probed struct {
	Executable string   `json:"executable"`
	Version    []int    `json:"version"`
	Stdlib     string   `json:"stdlib"`
	Path       []string `json:"path"`
	Mapped     []string `json:"mapped"`
}

// probePython asks an interpreter where it lives. Only this program's own
// script runs here, outside of any jail.
func (d *Driver) probePython(ctx context.Context, spec childSpec, name string) (childSpec, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, "-I", "-S", "-c", probeScript) //nolint:gosec // the operator names the interpreter
	out, err := cmd.Output()
	if err != nil {
		return spec, fmt.Errorf("%s: %w", name, err)
	}
	var p probed
	if err := json.Unmarshal(out, &p); err != nil {
		return spec, fmt.Errorf("%s: %w", name, err)
	}
	if len(p.Version) < 2 || p.Version[0] != 3 || p.Version[1] < 8 {
		return spec, fmt.Errorf("%s is version %v", name, p.Version)
	}
	loader, err := elfLoader(p.Executable)
	if err != nil {
		return spec, fmt.Errorf("%s: %w", name, err)
	}
	spec.Python, spec.Loader = p.Executable, loader
	set := &pathSet{}
	set.dir(p.Stdlib)
	for _, path := range append(slices.Clone(p.Path), d.opts.PythonPath...) {
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			set.dir(path)
		} else if err == nil {
			set.file(path)
		}
	}
	set.file(p.Executable)
	if loader != "" {
		set.file(loader)
	}
	for _, lib := range p.Mapped {
		if dir := filepath.Dir(lib); isLibraryDir(dir, p.Stdlib) {
			set.dir(dir)
		} else {
			set.file(lib)
		}
	}
	for _, f := range []string{"/etc/ld.so.cache", "/etc/localtime"} {
		set.optional(f)
	}
	set.optional("/usr/share/zoneinfo")
	if d.opts.AllowNetwork {
		for _, f := range []string{"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/pki/tls/certs", "/etc/ca-certificates", "/usr/share/ca-certificates"} {
			set.optional(f)
		}
	}
	spec.Dirs, spec.Files, spec.Links = set.finish()
	return spec, nil
}

// isLibraryDir tells folders that hold libraries and nothing of the user's.
func isLibraryDir(dir, stdlib string) bool {
	if dir == filepath.Dir(stdlib) || strings.HasPrefix(dir, stdlib) {
		return true
	}
	for _, p := range []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/nix/store", "/opt/lib"} {
		if dir == p || strings.HasPrefix(dir, p+"/") {
			return true
		}
	}
	return false
}

// elfLoader returns the dynamic loader that a program names.
func elfLoader(path string) (loader string, err error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the interpreter: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		raw, err := io.ReadAll(p.Open())
		if err != nil {
			return "", fmt.Errorf("read the interpreter: %w", err)
		}
		return strings.TrimRight(string(raw), "\x00"), nil
	}
	return "", nil
}

// pathSet collects what a jail must show, by real path, and the symbolic links
// that lead there.
type pathSet struct {
	dirs, files []string
	links       []link
}

func (s *pathSet) dir(path string)  { s.dirs = append(s.dirs, s.real(path)) }
func (s *pathSet) file(path string) { s.files = append(s.files, s.real(path)) }

func (s *pathSet) optional(path string) {
	st, err := os.Stat(path)
	switch {
	case err != nil:
	case st.IsDir():
		s.dir(path)
	default:
		s.file(path)
	}
}

// real resolves path step by step and remembers the links it followed.
func (s *pathSet) real(path string) string {
	path = filepath.Clean(path)
	for range 40 {
		changed := false
		parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
		at := ""
		for i, part := range parts {
			at += "/" + part
			target, err := os.Readlink(at)
			if err != nil {
				continue
			}
			s.link(link{Path: at, Target: target})
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(at), target)
			}
			path = filepath.Join(append([]string{target}, parts[i+1:]...)...)
			changed = true
			break
		}
		if !changed {
			return path
		}
	}
	return path
}

func (s *pathSet) link(l link) {
	if !slices.Contains(s.links, l) {
		s.links = append(s.links, l)
	}
}

// finish removes what another folder holds already.
func (s *pathSet) finish() (dirs, files []string, links []link) {
	for _, l := range []string{"/lib", "/lib64", "/usr/lib64"} {
		if st, err := os.Lstat(l); err == nil && st.Mode()&os.ModeSymlink != 0 {
			s.real(l)
		}
	}
	slices.Sort(s.dirs)
	slices.Sort(s.files)
	inside := func(path string) bool {
		return slices.ContainsFunc(dirs, func(d string) bool { return path == d || strings.HasPrefix(path, d+"/") })
	}
	for _, d := range s.dirs {
		if d != "/" && !inside(d) {
			dirs = append(dirs, d)
		}
	}
	for _, f := range slices.Compact(s.files) {
		if !inside(f) {
			files = append(files, f)
		}
	}
	for _, l := range s.links {
		if !inside(l.Path) {
			links = append(links, l)
		}
	}
	return dirs, files, links
}
