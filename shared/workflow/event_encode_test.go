package workflow_test

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/workflow"
	"github.com/millrace/millrace/shared/workflow/value"
)

// fill sets everything in v to something that is not zero.
func fill(t *testing.T, v reflect.Value, depth int) {
	t.Helper()
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)))
		return
	case *value.Object:
		v.Set(reflect.ValueOf(value.Obj("z", int64(1), "a", []any{1.5, "ü\n", nil, true}, "o", value.NewObject(0))))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("te\"xt\t\u2603")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(0.000025)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), depth)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), depth+1)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, val := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, depth+1)
		fill(t, val, depth+1)
		v.SetMapIndex(key, val)
	case reflect.Interface:
		v.Set(reflect.ValueOf("any"))
	default:
		t.Fatalf("the test does not know how to fill a %s", v.Type())
	}
}

// TestEncodeEventsWritesEveryField compares EncodeEvents with encoding/json for
// events with each payload alone, full and empty, and with all of them.
func TestEncodeEventsWritesEveryField(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	events := []workflow.Event{{At: at}, {Seq: 1, Type: workflow.EventText, At: at, Token: 3}}
	shape := reflect.TypeFor[workflow.Event]()
	for i := range shape.NumField() {
		if shape.Field(i).Type.Kind() == reflect.Pointer {
			e := workflow.Event{Seq: 2, At: at}
			empty := reflect.ValueOf(&e).Elem().Field(i)
			empty.Set(reflect.New(shape.Field(i).Type.Elem()))
			events = append(events, e)
		}
		e := workflow.Event{Seq: 2, At: at}
		fill(t, reflect.ValueOf(&e).Elem().Field(i), 0)
		events = append(events, e)
	}
	var all workflow.Event
	fill(t, reflect.ValueOf(&all).Elem(), 0)
	events = append(events, all)
	for i := range events {
		want, err := json.Marshal(events[i : i+1])
		require.NoError(t, err)
		got, err := workflow.EncodeEvents(events[i : i+1])
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	}
	whole, err := workflow.EncodeEvents(events)
	require.NoError(t, err)
	require.True(t, json.Valid(whole))
}

func TestEncodeEventsRefusesWhatIsNoNumber(t *testing.T) {
	t.Parallel()
	_, err := workflow.EncodeEvents([]workflow.Event{{Node: &workflow.NodeEvent{Elapsed: math.NaN()}}})
	require.Error(t, err)
}

func TestEncodeEventsReadsBackAnyText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "<b>&", "\u2028\u2029", "\x00\x01\x7f", "😀", `\u0000`} {
		raw, err := workflow.EncodeEvents([]workflow.Event{{Type: workflow.EventText, Text: &workflow.TextPiece{Selector: workflow.Selector{"n", "text"}, Text: text}}})
		require.NoError(t, err)
		back, err := workflow.DecodeEvents(raw)
		require.NoError(t, err)
		require.Equal(t, text, back[0].Text.Text)
	}
}

func BenchmarkEncodeEvents(b *testing.B) {
	at, x := time.Now().UTC().Truncate(time.Microsecond), value.Obj("q", "x")
	var events []workflow.Event
	for i := range 4 {
		n := &workflow.NodeEvent{ExecutionID: "01a20ae6-acba-71b2-8dc6-37a4f77383c2", NodeID: "start", NodeType: "start", Title: "Start", Index: i, StartedAt: at}
		end := *n
		end.Status, end.Inputs, end.Outputs, end.Elapsed = workflow.StatusSucceeded, x, x, 0.000025
		events = append(events, workflow.Event{Seq: 1, Type: workflow.EventNodeStarted, At: at, Token: 1, Node: n},
			workflow.Event{Seq: 2, Type: workflow.EventNodeFinished, At: at, Token: 1, Node: &end})
	}
	b.Run("own", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = workflow.EncodeEvents(events)
		}
	})
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = json.Marshal(events)
		}
	})
}
