package fuzz

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/dsl"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

const (
	// limit is the wall time of the longest run that the limits allow.
	limit = time.Second
	// patience is when something counts as stuck.
	patience = 60 * limit
)

// corpus returns the documents of the conformance cases and the examples.
func corpus(t testing.TB) (texts []string) {
	t.Helper()
	var files []string
	for _, pattern := range []string{"../cases/*/*.yml", "../../examples/*.yml"} {
		list, err := filepath.Glob(pattern)
		require.NoError(t, err)
		files = append(files, list...)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		if filepath.Base(f) != "case.yml" && strings.Contains(string(raw), "kind: app") {
			texts = append(texts, string(raw))
		}
	}
	require.Greater(t, len(texts), 100)
	return texts
}

func parsed(t testing.TB, texts []string) (docs []*value.Object) {
	t.Helper()
	for _, text := range texts {
		if doc, err := dsl.Parse(text); err == nil && graphOf(doc) != nil {
			docs = append(docs, doc)
		}
	}
	require.Greater(t, len(docs), 80)
	return docs
}

// outcome says how far a document came.
type outcome string

const (
	refused   outcome = "refused by the import"
	published outcome = "published"
	rejected  outcome = "published, its run refused"
	succeeded outcome = "run succeeded"
	failed    outcome = "run failed"
	paused    outcome = "run paused"
)

// refusal is how a stream or an answer says that a run was not even begun.
var refusal = regexp.MustCompile(`"event": ?"error"|"status": ?"failed"`)

// attempt is one document on its way. Everything that must not be is an error.
type attempt struct {
	w   *world
	m   *mutator
	by  app.Actor
	ctx context.Context
}

// through takes a document through everything.
func through(ctx context.Context, w *world, text string, m *mutator) (outcome, error) {
	a := &attempt{w: w, m: m, by: app.Actor{TenantID: tenantID, AccountID: accountID}, ctx: ctx}
	type result struct {
		out outcome
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := a.all(text)
		if err == nil {
			if said := w.log.take(); len(said) > 0 {
				err = fmt.Errorf("the log complains: %s", strings.Join(said, "; "))
			}
		}
		done <- result{out, err}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.out, r.err
	case <-timer.C:
		stacks := make([]byte, 1<<20)
		return "", fmt.Errorf("stuck\n%s", stacks[:runtime.Stack(stacks, true)])
	}
}

// clear reports an error that is none of the client's: those with a code of
// their own are.
func clear(what string, err error) error {
	if err == nil {
		return nil
	}
	if errs.CodeOf(err) == errs.Internal {
		return fmt.Errorf("%s: an error without a code: %w", what, err)
	}
	return nil
}

func (a *attempt) all(text string) (outcome, error) {
	res, err := a.w.apps.Import(a.ctx, a.by, app.ImportRequest{Mode: "yaml-content", Content: text})
	if err != nil {
		return refused, clear("import", err)
	}
	if res.Status == dsl.Pending {
		if res, err = a.w.apps.ConfirmImport(a.ctx, a.by, res.ID); err != nil {
			return refused, clear("confirm", err)
		}
	}
	if res.Status == dsl.Failed {
		if res.Error == "" || res.AppID != nil {
			return refused, fmt.Errorf("a failed import without a reason, or with an app: %+v", res)
		}
		return refused, nil
	}
	if res.AppID == nil {
		return "", fmt.Errorf("an import without app: %+v", res)
	}
	x, err := a.w.apps.App(a.ctx, tenantID, *res.AppID)
	if err != nil {
		return "", err
	}
	if !x.HasWorkflow() {
		_, err = a.w.apps.Export(a.ctx, x, app.ExportOptions{Secrets: true})
		return published, err
	}
	if err := a.edit(x); err != nil {
		return "", err
	}
	v, err := a.w.apps.Publish(a.ctx, a.by, x, "", "")
	if err != nil {
		return refused, clear("publish", err)
	}
	return a.run(x, v)
}

// edit exports the draft, imports that again, and stores the draft as an
// editor would: nothing may get lost on the way.
func (a *attempt) edit(x app.App) error {
	before, err := a.w.apps.Draft(a.ctx, tenantID, x.ID)
	if err != nil {
		return fmt.Errorf("draft: %w", err)
	}
	text, err := a.w.apps.Export(a.ctx, x, app.ExportOptions{Secrets: true})
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	res, err := a.w.apps.Import(a.ctx, a.by, app.ImportRequest{Mode: "yaml-content", Content: text})
	if err != nil || res.Status == dsl.Failed {
		return fmt.Errorf("import of an export: %+v %w", res, err)
	}
	second, err := a.w.apps.App(a.ctx, tenantID, *res.AppID)
	if err != nil {
		return fmt.Errorf("the second app: %w", err)
	}
	again, err := a.w.apps.Export(a.ctx, second, app.ExportOptions{Secrets: true})
	if err != nil {
		return fmt.Errorf("export of the second: %w", err)
	}
	if text != again {
		return fmt.Errorf("the document changed by export and import:\n%s", difference(text, again))
	}
	g, err := value.Decode([]byte(before.Graph))
	if err != nil {
		return fmt.Errorf("the stored graph: %w", err)
	}
	graph, _ := g.(*value.Object)
	if _, err := a.w.apps.SyncDraft(a.ctx, a.by, x, app.DraftChange{Graph: graph, Features: before.FeatureSet(), Hash: app.GraphHash(before.Graph)}); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	after, err := a.w.apps.Draft(a.ctx, tenantID, x.ID)
	if err != nil {
		return err
	}
	if after.Graph != before.Graph || len(after.Environment) != len(before.Environment) || len(after.Conversation) != len(before.Conversation) {
		return fmt.Errorf("the draft changed by storing it:\n%.2000s\n%.2000s", before.Graph, after.Graph)
	}
	return nil
}

// difference shows where two texts part.
func difference(a, b string) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	from := max(i-200, 0)
	return fmt.Sprintf("%.600q\n%.600q", a[from:], b[from:])
}

func (a *attempt) run(x app.App, v app.Workflow) (outcome, error) {
	key, err := a.w.apps.CreateToken(a.ctx, tenantID, "app", x.ID)
	if err != nil {
		return "", err
	}
	modes := []string{"blocking", "streaming"}
	body := map[string]any{"inputs": a.m.inputs(v.StartVariables()), "response_mode": modes[a.m.IntN(2)], "user": "someone"}
	path := "/v1/workflows/run"
	if x.Mode == app.ModeAdvancedChat {
		path = "/v1/chat-messages"
		body["query"] = "what do you say to [1,2,3]?"
	}
	before := a.w.store.RunIDs()
	rec, err := a.w.post(a.ctx, key.Token, path, body)
	if err != nil {
		return "", err
	}
	text := rec.Body.String()
	switch {
	case strings.Contains(text, "ended unexpectedly"):
		return "", fmt.Errorf("a node panics: %.3000s", text)
	case rec.Code >= 500 && rec.Code != http.StatusNotImplemented, strings.Contains(text, `"internal_server_error"`):
		return "", fmt.Errorf("status %d: %.3000s", rec.Code, text)
	case rec.Code >= 400:
		var e struct{ Code, Message string }
		if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil || e.Code == "" || e.Message == "" {
			return "", fmt.Errorf("status %d without a code: %.3000s", rec.Code, text)
		}
	}
	out := rejected
	for _, id := range a.w.store.RunIDs() {
		if slices.Contains(before, id) {
			continue
		}
		if out, err = a.ended(id); err != nil {
			return "", fmt.Errorf("%w; the answer was %d %.3000s", err, rec.Code, text)
		}
	}
	if out == rejected && rec.Code < 400 && !refusal.MatchString(text) {
		return "", fmt.Errorf("no run and no error: %d %.2000s", rec.Code, text)
	}
	return out, nil
}

// ended checks the journal of a run: it is over, or waits for a person.
func (a *attempt) ended(id string) (outcome, error) {
	events, err := a.w.store.Events(a.ctx, tenantID, id, 0)
	if err != nil {
		return "", err
	}
	open := map[string]string{}
	for i := range events {
		e := &events[i]
		switch e.Type {
		case workflow.EventNodeStarted:
			open[e.Node.ExecutionID] = e.Node.NodeID
		case workflow.EventNodeFinished:
			delete(open, e.Node.ExecutionID)
			if strings.Contains(e.Node.Error, "ended unexpectedly") {
				return "", fmt.Errorf("node %s panics", e.Node.NodeID)
			}
		}
	}
	switch last := events[len(events)-1]; {
	case last.Type == workflow.EventRunPaused:
		return paused, nil
	case !last.Terminal():
		return "", fmt.Errorf("run %s is not over: its last event is %v", id, last.Type)
	case last.Finished.Status == workflow.StatusSucceeded && len(open) > 0:
		return "", fmt.Errorf("run %s succeeded with open nodes %v", id, open)
	case last.Finished.Status == workflow.StatusFailed, last.Finished.Status == workflow.StatusStopped:
		if last.Finished.Error == "" {
			return "", fmt.Errorf("run %s ended as %s without a reason", id, last.Finished.Status)
		}
		return failed, nil
	}
	return succeeded, nil
}

// write gives a document as text: in the contract's layout, or as JSON, which
// is YAML too.
func write(m *mutator, doc *value.Object) (string, error) {
	if m.IntN(2) == 0 {
		if text, err := dsl.Dump(doc); err == nil {
			return text, nil
		}
	}
	raw, err := value.Encode(doc)
	return string(raw), err
}

// mutant is what a seed makes of the documents.
func mutant(docs []*value.Object, seed uint64) (string, *mutator) {
	m := newMutator(seed, docs)
	doc, _ := clone(docs[m.IntN(len(docs))]).(*value.Object)
	m.mutate(doc)
	text, err := write(m, doc)
	if err != nil { // what is nested too deeply has no text: the document stays as it is
		text, _ = write(m, docs[0])
	}
	return text, m
}

// only is for looking at one mutant: go test ./conformance/fuzz -run Mutants -v -mutant 7.
// from and upTo are for looking at others than every time.
var (
	only = flag.Int64("mutant", -1, "the only mutant to try; it is shown")
	from = flag.Uint64("from", 0, "the first mutant to try")
	upTo = flag.Uint64("mutants", mutants, "how many mutants to try")
)

// TestMutants is the same search every time. A failure names the seed of the
// mutant.
func TestMutants(t *testing.T) {
	t.Parallel()
	texts := corpus(t)
	docs := parsed(t, texts)
	count := *upTo
	if testing.Short() {
		count /= 10
	}
	if *only >= 0 {
		text, m := mutant(docs, uint64(*only))
		w := newWorld()
		defer w.close(t)
		out, err := through(t.Context(), w, text, m)
		t.Logf("%s\n%s\n%v", text, out, err)
		for _, id := range w.store.RunIDs() {
			events, err := w.store.Events(t.Context(), tenantID, id, 0)
			require.NoError(t, err)
			t.Logf("%d events, the last is %+v", len(events), events[len(events)-1].Finished)
		}
		return
	}
	var (
		mu       sync.Mutex
		outcomes = map[outcome]int{}
		next     = make(chan uint64)
		wg       sync.WaitGroup
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			var w *world
			used := 0
			for seed := range next {
				if w == nil || used > 100 { // what is in a world slows it down
					if w != nil {
						w.close(t)
					}
					w, used = newWorld(), 0
				}
				used++
				text, m := mutant(docs, seed)
				began := time.Now()
				out, err := through(t.Context(), w, text, m)
				if took := time.Since(began); took > limit/2 {
					t.Logf("mutant %d took %s: %s", seed, took, out)
				}
				if err != nil {
					t.Errorf("mutant %d: %v", seed, err)
					w = nil
				}
				mu.Lock()
				outcomes[out]++
				mu.Unlock()
			}
			if w != nil {
				w.close(t)
			}
		})
	}
	for seed := range count {
		next <- *from + seed
	}
	close(next)
	wg.Wait()
	t.Log(outcomes)
	// A search that gets nowhere finds nothing.
	for _, o := range []outcome{succeeded, failed, refused, rejected, published} {
		require.NotZero(t, outcomes[o]+btoi(o == published), o)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestRefusedDocumentsLeaveWhatIsThere imports mutants over an app: one that is
// refused changes nothing of it.
func TestRefusedDocumentsLeaveWhatIsThere(t *testing.T) {
	t.Parallel()
	docs := parsed(t, corpus(t))
	w := newWorld()
	defer w.close(t)
	by := app.Actor{TenantID: tenantID, AccountID: accountID}
	good, err := dsl.Dump(docs[0])
	require.NoError(t, err)
	res, err := w.apps.Import(t.Context(), by, app.ImportRequest{Mode: "yaml-content", Content: good})
	require.NoError(t, err)
	require.NotNil(t, res.AppID)
	over := 0
	for seed := range uint64(400) {
		before, err := w.apps.Draft(t.Context(), tenantID, *res.AppID)
		require.NoError(t, err)
		m := newMutator(1<<32+seed, docs)
		doc, _ := clone(docs[m.IntN(len(docs))]).(*value.Object)
		m.anywhere(doc)
		m.anywhere(doc)
		text, err := write(m, doc)
		if err != nil {
			continue
		}
		if m.IntN(3) == 0 {
			text = text[:m.IntN(len(text))]
		}
		got, err := w.apps.Import(t.Context(), by, app.ImportRequest{Mode: "yaml-content", Content: text, AppID: *res.AppID})
		require.NoError(t, clear("import over", err), "seed %d", seed)
		if err == nil && got.Status != dsl.Failed {
			continue
		}
		after, err := w.apps.Draft(t.Context(), tenantID, *res.AppID)
		require.NoError(t, err)
		require.Equal(t, before, after, "seed %d", seed)
		over++
	}
	require.Greater(t, over, 20)
}

// FuzzDocument searches for documents that break something: the text is
// changed by the fuzzer, and what the seed makes of its structure comes on top
// (0 leaves it).
func FuzzDocument(f *testing.F) {
	texts := corpus(f)
	docs := parsed(f, texts)
	for i, text := range texts {
		if len(text) < 20_000 {
			f.Add(text, uint64(i%5)*uint64(i))
		}
	}
	var w *world
	used := 0
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		if len(text) > 200_000 {
			return
		}
		if w == nil || used > 100 {
			w, used = newWorld(), 0
		}
		used++
		m := newMutator(seed, docs)
		if doc, err := dsl.Parse(text); err == nil && seed != 0 {
			m.mutate(doc)
			if made, err := write(m, doc); err == nil {
				text = made
			}
		}
		if _, err := through(t.Context(), w, text, m); err != nil {
			w = nil
			t.Fatalf("%v", err)
		}
	})
}
