package remote_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/sandbox"
	"github.com/millrace/millrace/shared/sandbox/driver"
	"github.com/millrace/millrace/shared/sandbox/memsandbox"
	"github.com/millrace/millrace/shared/sandbox/remote"
	"github.com/stretchr/testify/require"
)

// program is what the driver sends.
type program struct {
	Language      string `json:"language"`
	Code          string `json:"code"`
	EnableNetwork bool   `json:"enable_network"`
}

// service answers with what run makes of the program.
func service(t *testing.T, run http.HandlerFunc) *sandbox.Sandbox {
	t.Helper()
	srv := httptest.NewServer(run)
	t.Cleanup(srv.Close)
	d, err := remote.Open(srv.Client(), srv.URL, remote.Options{APIKey: "k"})
	require.NoError(t, err)
	return sandbox.New(d, sandbox.Options{Timeout: 5 * time.Second})
}

// engine is a service that really runs the programs: JavaScript in the
// embedded engine, Python in the interpreter of the test's machine.
func engine(t *testing.T) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		var p program
		if r.URL.Path != "/v1/sandbox/run" || r.Method != http.MethodPost || r.Header.Get("X-Api-Key") != "k" || json.NewDecoder(r.Body).Decode(&p) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		data := map[string]string{}
		switch p.Language {
		case "nodejs":
			res, err := memsandbox.Open(memsandbox.Options{}).Run(r.Context(), &driver.Request{
				Language: driver.JavaScript, Code: "(function(){" + p.Code + "})();\nvar main = () => ({});", Inputs: json.RawMessage("{}"),
				Timeout: 5 * time.Second, MaxOutput: 1 << 20, MaxStdout: 1 << 20,
			})
			if err != nil {
				data["error"] = err.Error()
			} else {
				data["stdout"] = res.Stdout
			}
		case "python3":
			cmd := exec.CommandContext(r.Context(), "python3", "-I", "-c", p.Code)
			cmd.Env = append(os.Environ(), "PYTHONUTF8=1")
			var out, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &stderr
			if err := cmd.Run(); err != nil {
				data["error"] = stderr.String()
			}
			data["stdout"] = out.String()
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"code": 0, "message": "success", "data": data})
	}
}

func TestProgramsRun(t *testing.T) {
	t.Parallel()
	programs := map[sandbox.Language][2]string{
		sandbox.JavaScript: {"function main({a, n}) { console.log('noise'); return {a, n: n + 1} }", "function main() { throw new Error('boom') }"},
	}
	if _, err := exec.LookPath("python3"); err == nil {
		programs[sandbox.Python3] = [2]string{"def main(a, n):\n    print('noise')\n    return {'a': a, 'n': n + 1}\n", "def main():\n    raise ValueError('boom')\n"}
	}
	for lang, code := range programs {
		t.Run(string(lang), func(t *testing.T) {
			t.Parallel()
			s := service(t, engine(t))
			res, err := s.Run(t.Context(), sandbox.Request{Language: lang, Code: code[0], Inputs: map[string]any{"a": "ü\"</漢\n", "n": 41}})
			require.NoError(t, err)
			require.JSONEq(t, `{"a":"ü\"</漢\n","n":42}`, string(res.Output))
			require.Equal(t, "noise\n", res.Stdout)
			_, err = s.Run(t.Context(), sandbox.Request{Language: lang, Code: code[1]})
			require.True(t, errs.Is(err, errs.UnprocessableEntity), "%v", err)
			require.Contains(t, err.Error(), "boom")
			if lang == sandbox.Python3 {
				require.Contains(t, err.Error(), "line 12, in <module>", "the line that the contract's program has")
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	ok := func(stdout string) string {
		raw, err := json.Marshal(map[string]any{"code": 0, "message": "success", "data": map[string]string{"stdout": stdout, "error": ""}})
		require.NoError(t, err)
		return string(raw)
	}
	for _, c := range []struct {
		name   string
		status int
		body   string
		code   errs.Code
		text   string
	}{
		{"unavailable", 503, "", errs.ServiceUnavailable, "Code execution service is unavailable"},
		{"status", 500, "", errs.ServiceUnavailable, "Failed to execute code, which is likely a network issue, please check if the sandbox service is running. ( Error: Failed to execute code, got status code 500, please check if the sandbox service is running )"},
		{"no JSON", 200, "<html>", errs.Internal, "Failed to parse response"},
		{"refused", 200, `{"code":-400,"message":"bad"}`, errs.Internal, "Got error code: -400. Got error msg: bad"},
		{"error", 200, `{"code":0,"data":{"stdout":"","error":"Traceback"}}`, errs.UnprocessableEntity, "Traceback"},
		{"no frame", 200, ok("hello"), errs.UnprocessableEntity, "Failed to parse result: no result tag found in response. Response: hello..."},
		{"one mark", 200, ok("<<RESULT>>{}"), errs.UnprocessableEntity, "Failed to parse result: no result tag found in response. Response: <<RESULT>>{}..."},
		{"list", 200, ok("<<RESULT>>[1]<<RESULT>>"), errs.UnprocessableEntity, "Result must be a dict, got list"},
		{"broken", 200, ok("<<RESULT>>{<<RESULT>>"), errs.UnprocessableEntity, "Failed to parse JSON response"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := service(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			})
			_, err := s.Run(t.Context(), sandbox.Request{Language: sandbox.Python3, Code: "x"})
			require.True(t, errs.Is(err, c.code), "%v", err)
			require.Contains(t, errs.Public(err).Message, c.text)
		})
	}
}

func TestTimeLimits(t *testing.T) {
	t.Parallel()
	hang := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices a lost client only after the body
		<-r.Context().Done()
	}
	srv := httptest.NewServer(http.HandlerFunc(hang))
	t.Cleanup(srv.Close)
	d, err := remote.Open(srv.Client(), srv.URL, remote.Options{})
	require.NoError(t, err)
	_, err = d.Run(t.Context(), &driver.Request{Language: driver.Python3, Timeout: 20 * time.Millisecond})
	var de *driver.Error
	require.ErrorAs(t, err, &de)
	require.Equal(t, driver.Timeout, de.Kind)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = d.Run(ctx, &driver.Request{Language: driver.Python3, Timeout: time.Minute})
	require.ErrorIs(t, err, context.Canceled)

	_, err = remote.Open(srv.Client(), "sandbox:8194", remote.Options{})
	require.Error(t, err)
}
