package conformance

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/mockecho"
	"github.com/millrace/millrace/shared/mockmodel"
)

var (
	base     = flag.String("base", "", "address of the server to test; empty starts one")
	patterns = flag.String("cases", "", "shell patterns of case names, separated by commas")
	probe    = flag.Bool("probe", true, "run the cases of expected.tsv too, which must not pass")
	lambda   = flag.Bool("lambda", false, "run the server that is started on the emulated Lambda")
	plain    = flag.Bool("plain", false, "judge by the recordings alone, without expected.tsv and differences.md")
	update   = flag.Bool("update", false, "take cases that pass out of expected.tsv")
	report   = flag.String("report", "", "write a line for each case to this file: its name, ok, FAIL or skip, and the number of differences")
	keep     = flag.Bool("keep", false, "leave the apps that cases make")

	bind         = flag.String("bind", "127.0.0.1", "address on which the model and the web server of the cases listen")
	callbackHost = flag.String("callback-host", "", "host by which the server under test reaches them; empty means bind")
	mockPort     = flag.Int("mock-port", 0, "port of the model; 0 is 9321 with -base and a free one without")
	echoPort     = flag.Int("echo-port", 0, "port of the web server; 0 is 9322 with -base and a free one without")
	resetModels  = flag.Bool("reset-models", false, "make the models anew, also when the server has them")
	email        = flag.String("email", "", "administrator's address")
	password     = flag.String("password", "", "administrator's password")
	secondEmail  = flag.String("second-email", "", "owner of a second workspace")
	secondPass   = flag.String("second-password", "", "that owner's password")
	publicURL    = flag.String("public-url", "", "further addresses by which the server names itself, separated by commas")
)

const (
	expectedFile    = "expected.tsv"
	differencesFile = "differences.md"
)

// atOnce is how many cases run at the same time: they mostly wait, for the model
// or because the recording waited.
const atOnce = 8

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", strconv.Itoa(atOnce)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// TestRecordedCases runs the recorded conversations against a server.
func TestRecordedCases(t *testing.T) {
	all, err := Load(os.DirFS("cases"))
	require.NoError(t, err)
	cases, err := Select(all, *patterns)
	require.NoError(t, err)
	require.NotEmpty(t, cases, "no case has such a name")
	suite := newSuite(t, all)
	target := suite.open(t)

	// Cases that change what all share come first, one after the other. The
	// others wait at t.Parallel until this test function is done with them.
	slices.SortStableFunc(cases, func(a, b *Case) int { return cmp.Compare(parallel(a), parallel(b)) })
	started := clock.System{}.Now()
	t.Run("case", func(t *testing.T) {
		for _, c := range cases {
			reason, pending := suite.pending[c.Name]
			t.Run(c.Name, func(t *testing.T) {
				if pending && !*probe {
					t.Skip(reason)
				}
				if !c.Exclusive() {
					t.Parallel()
				}
				suite.judge(t, c, target.Run(t.Context(), c))
			})
		}
	})
	suite.finish(t, clock.Since(clock.System{}, started))
}

func parallel(c *Case) int {
	if c.Exclusive() {
		return 0
	}
	return 1
}

// suite is what is expected, and what came.
type suite struct {
	pending     map[string]string
	differences []Difference

	mu       sync.Mutex
	verdicts map[string]verdict
	passing  []string // pending cases that passed
}

func newSuite(t *testing.T, all []*Case) *suite {
	s := &suite{pending: map[string]string{}, verdicts: map[string]verdict{}}
	names := map[string]bool{}
	for _, c := range all {
		names[c.Name] = true
	}
	if *plain {
		return s
	}
	list, err := ParsePending(read(t, expectedFile))
	require.NoError(t, err)
	for _, p := range list {
		require.True(t, names[p.Case], "%s names %s, which is no case", expectedFile, p.Case)
		s.pending[p.Case] = p.Reason
	}
	s.differences, err = ParseDifferences(read(t, differencesFile))
	require.NoError(t, err)
	for _, d := range s.differences {
		for _, p := range d.Shown {
			require.True(t, names[p.Case], "%s names %s, which is no case", differencesFile, p.Case)
		}
	}
	return s
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

// open starts the partners, and the server when none is named, and logs in.
func (s *suite) open(t *testing.T) *Target {
	opts := Options{Email: *email, Password: *password, SecondEmail: *secondEmail, SecondPassword: *secondPass, Keep: *keep,
		ResetModels: *resetModels}
	if *base != "" { // a server that stays remembers where the model was
		*mockPort, *echoPort = cmp.Or(*mockPort, 9321), cmp.Or(*echoPort, 9322)
	}
	opts.MockURL = serve(t, *mockPort, mockmodel.New(nil)) + "/v1"
	opts.EchoURL = serve(t, *echoPort, mockecho.New(nil))
	if *publicURL != "" {
		opts.PublicURLs = strings.Split(*publicURL, ",")
	}
	address := *base
	if address == "" {
		address = startServer(t, *lambda)
	}
	target, err := Open(t.Context(), address, opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = target.Close(t.Context()) })
	return target
}

// partner is one of the two servers that the server under test calls.
type partner interface {
	Serve(ctx context.Context, l net.Listener) error
}

// serve returns an address by which the server under test reaches a partner.
// What listens on the port already is taken for the same thing.
func serve(t *testing.T, port int, p partner) string {
	host := cmp.Or(*callbackHost, *bind)
	l, err := net.Listen("tcp", net.JoinHostPort(*bind, strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return "http://" + net.JoinHostPort(host, strconv.Itoa(port))
	}
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	_, taken, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return "http://" + net.JoinHostPort(host, taken)
}

// judge compares a result with what is expected of the case.
func (s *suite) judge(t *testing.T, c *Case, r Result) {
	if r.Skipped != "" {
		s.note(c.Name, "skip", 0)
		t.Skip(r.Skipped)
	}
	v := Judge(c.Name, r, s.differences)
	passed := len(v.Failures) == 0
	word := "FAIL"
	if passed {
		word = "ok"
	}
	s.note(c.Name, word, len(r.Failures))
	for _, n := range r.Notes {
		t.Log("note: " + n.String())
	}
	if reason, ok := s.pending[c.Name]; ok {
		if !passed {
			t.Skipf("not expected to pass: %s; the first difference is: %s", reason, v.Failures[0])
		}
		s.mu.Lock()
		s.passing = append(s.passing, c.Name)
		s.mu.Unlock()
		if !*update {
			t.Errorf("the case passes: take it out of %s (%s), or run this test with -update", expectedFile, reason)
		}
	}
	for _, p := range v.Gone {
		t.Errorf("%s says that %s of the step %q differs, but it does not any more", differencesFile, p.Path, p.Step)
	}
	if len(v.Unlisted) > 0 && !*plain {
		t.Errorf("these differences do not count, but %s must name them:\n  %s", differencesFile, lines(v.Unlisted))
	}
	if !passed {
		t.Errorf("%s: the answers differ from the recording:\n  %s", c.Title, lines(v.Failures))
	}
}

func lines(list []Finding) string {
	out := make([]string, len(list))
	for i, f := range list {
		out[i] = f.String()
	}
	return strings.Join(out, "\n  ")
}

// verdict is one line of the report.
type verdict struct {
	word        string
	differences int
}

func (s *suite) note(name, word string, differences int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verdicts[name] = verdict{word, differences}
}

// finish writes what was asked for and shows the counts.
func (s *suite) finish(t *testing.T, took time.Duration) {
	count := map[string]int{}
	var text strings.Builder
	names := make([]string, 0, len(s.verdicts))
	for name, v := range s.verdicts {
		count[v.word]++
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&text, "%s\t%s\t%d\n", name, s.verdicts[name].word, s.verdicts[name].differences)
	}
	t.Logf("%d cases equal the recording, %d do not, %d need more than this server has; %s",
		count["ok"], count["FAIL"], count["skip"], took.Round(100*time.Millisecond))
	if *report != "" {
		require.NoError(t, os.WriteFile(*report, []byte(text.String()), 0o600))
	}
	if *update && len(s.passing) > 0 {
		kept := strings.Split(read(t, expectedFile), "\n")
		kept = slices.DeleteFunc(kept, func(line string) bool {
			name, _, _ := strings.Cut(line, "\t")
			return slices.Contains(s.passing, name)
		})
		require.NoError(t, os.WriteFile(expectedFile, []byte(strings.Join(kept, "\n")), 0o600))
		t.Logf("taken out of %s: %s", expectedFile, strings.Join(s.passing, " "))
	}
}

// TestCasesAreWellFormed needs no server: it reads every case and says how many
// may run at the same time.
func TestCasesAreWellFormed(t *testing.T) {
	t.Parallel()
	cases, err := Load(os.DirFS("cases"))
	require.NoError(t, err)
	alone := 0
	for _, c := range cases {
		require.NotEmpty(t, c.Title, c.Name)
		require.NotEmpty(t, c.steps, c.Name)
		require.NotEmpty(t, c.expected, c.Name)
		_, err := strconv.Atoi(c.Name[:3])
		require.NoError(t, err, c.Name)
		for _, a := range c.apps {
			require.FileExists(t, filepath.Join("cases", c.Name, a.file))
		}
		if c.Exclusive() {
			alone++
		}
	}
	t.Logf("%d cases, %d of them alone", len(cases), alone)
}

// TestDifferencesAreHeld checks that every test that differences.md names
// exists, and every step.
func TestDifferencesAreHeld(t *testing.T) {
	t.Parallel()
	list, err := ParseDifferences(read(t, differencesFile))
	require.NoError(t, err)
	require.NotEmpty(t, list)
	cases, err := Load(os.DirFS("cases"))
	require.NoError(t, err)
	for _, d := range list {
		for _, name := range d.Tests {
			dir, function, _ := strings.Cut(name, " ")
			require.True(t, hasTest(t, filepath.Join("..", dir), function), name)
		}
		for _, p := range d.Shown {
			i := slices.IndexFunc(cases, func(c *Case) bool { return c.Name == p.Case })
			require.GreaterOrEqual(t, i, 0, p.Case)
			require.True(t, anyStep(cases[i].steps, func(s *step) bool { return s.title() == p.Step }), "%s has no step %q", p.Case, p.Step)
		}
	}
}

func hasTest(t *testing.T, dir, function string) bool {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	for _, f := range files {
		if strings.Contains(read(t, f), "\nfunc "+function+"(t *testing.T)") {
			return true
		}
	}
	return false
}
