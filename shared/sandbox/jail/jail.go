package jail

import (
	"context"
	"log/slog"
	"sync"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/sandbox/driver"
)

// Defaults of Options.
const (
	DefaultMemory = 512 << 20
	DefaultTmp    = 32 << 20
)

// childName is argv[0] of a child. It says which program part runs, no more:
// whoever starts the program under this name gets a process without rights.
const childName = "millrace-sandbox-child"

// Options configure a jail. The zero value is usable.
type Options struct {
	// Python is the interpreter's path or name. Default: python3 on the PATH,
	// then the usual places.
	Python string
	// PythonPath are folders of further modules that code may import, read-only.
	PythonPath []string
	// Memory limits the address space that code may add, in bytes. Default DefaultMemory.
	Memory int64
	// Tmp is the size of /tmp in bytes, where namespaces work. Default DefaultTmp.
	Tmp int64
	// AllowNetwork gives the network to requests that ask for it.
	AllowNetwork bool
	// TrustFilesystem accepts a machine that has neither landlock nor
	// namespaces: code can then read every file that this process may read. Set
	// it only where there is nothing to read.
	TrustFilesystem bool
	// NoNamespaces leaves namespaces unused even where they work.
	NoNamespaces bool
	// NoLandlock leaves landlock unused even where it works.
	NoLandlock bool
	// Clock measures time limits. Default: the system's.
	Clock clock.Clock
	// Logger gets what an operator should know. Default: nothing is logged.
	Logger *slog.Logger
}

// Driver runs user code in jailed child processes.
type Driver struct {
	opts Options

	mu    sync.Mutex
	plans map[driver.Language]*plan
}

var _ driver.Driver = (*Driver)(nil)

// Open returns a jail. It starts nothing: what the machine can do is found out
// at the first run of each language, or by Check.
func Open(opts Options) *Driver {
	if opts.Memory <= 0 {
		opts.Memory = DefaultMemory
	}
	if opts.Tmp <= 0 {
		opts.Tmp = DefaultTmp
	}
	if opts.Clock == nil {
		opts.Clock = clock.System{}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Driver{opts: opts, plans: map[driver.Language]*plan{}}
}

// Check reports whether code of a language can run here; its error says what
// is missing and what to do. Isolation describes the layers in use.
func (d *Driver) Check(ctx context.Context, lang driver.Language) (isolation string, err error) {
	p, err := d.plan(ctx, lang)
	if err != nil {
		return "", err
	}
	return p.describe(), nil
}

// Run runs one request in a child of its own.
func (d *Driver) Run(ctx context.Context, req *driver.Request) (*driver.Response, error) {
	p, err := d.plan(ctx, req.Language)
	if err != nil {
		return nil, err
	}
	return d.run(ctx, p, req)
}

// Close does nothing: children do not outlive their run.
func (d *Driver) Close() error { return nil }

// plan returns how to run a language here and finds it out the first time. A
// refusal is kept too, until the process ends; an ended ctx is not.
func (d *Driver) plan(ctx context.Context, lang driver.Language) (*plan, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p, ok := d.plans[lang]; ok {
		return p, p.refusal()
	}
	p, err := d.makePlan(ctx, lang)
	if err != nil {
		return nil, err
	}
	if p.refused == nil {
		d.opts.Logger.DebugContext(ctx, "code sandbox ready", "language", string(lang), "isolation", p.describe())
	}
	d.plans[lang] = p
	return p, p.refusal()
}

// plan says how code of one language runs on this machine.
type plan struct {
	spec    childSpec
	refused *driver.Error
}

func (p *plan) refusal() error {
	if p.refused == nil {
		return nil
	}
	return p.refused
}

func (p *plan) describe() string {
	s := "seccomp, limits"
	if p.spec.Landlock {
		s += ", landlock"
	}
	if p.spec.Namespaces != "" {
		s += ", namespaces (" + p.spec.Namespaces + ")"
	}
	if p.spec.UID != 0 {
		s += ", own uid"
	}
	return s
}

// childSpec tells a child what to become. It holds nothing of the user's.
type childSpec struct {
	Language   driver.Language `json:"language"`
	Namespaces string          `json:"namespaces,omitempty"` // "", "root" or "user"
	Landlock   bool            `json:"landlock,omitempty"`
	UID        int             `json:"uid,omitempty"` // to become; 0 stays
	Network    bool            `json:"network,omitempty"`
	Memory     int64           `json:"memory"`
	CPU        int64           `json:"cpu"` // seconds
	Tmp        int64           `json:"tmp,omitempty"`
	MaxStdout  int64           `json:"max_stdout,omitempty"`
	Root       string          `json:"root,omitempty"` // an empty folder to mount the new root on

	Python string   `json:"python,omitempty"` // the interpreter
	Loader string   `json:"loader,omitempty"` // its ELF loader
	Dirs   []string `json:"dirs,omitempty"`   // to be read
	Files  []string `json:"files,omitempty"`  // to be read
	Links  []link   `json:"links,omitempty"`  // to be made again in the new root
}

// link is a symbolic link on the way to something in the new root.
type link struct {
	Path   string `json:"path"`
	Target string `json:"target"`
}
