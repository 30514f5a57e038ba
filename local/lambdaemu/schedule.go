package lambdaemu

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/ids"
)

// schedule tells when an EventBridge expression fires next.
type schedule interface {
	next(after time.Time) time.Time
}

// parseSchedule reads rate(...) and cron(...).
func parseSchedule(expr string) (schedule, error) {
	if in, ok := inParens(expr, "rate"); ok {
		num, unit, _ := strings.Cut(in, " ")
		n, err := strconv.Atoi(num)
		d := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[strings.TrimSuffix(unit, "s")]
		if err != nil || n < 1 || d == 0 {
			return nil, fmt.Errorf("schedule %q: want rate(<n> minutes|hours|days)", expr)
		}
		return rate(time.Duration(n) * d), nil
	}
	if in, ok := inParens(expr, "cron"); ok {
		return parseCron(expr, strings.Fields(in))
	}
	return nil, fmt.Errorf("schedule %q: want rate(...) or cron(...)", expr)
}

func inParens(expr, name string) (string, bool) {
	in, ok := strings.CutPrefix(strings.TrimSpace(expr), name+"(")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(in, ")")
}

type rate time.Duration

func (r rate) next(after time.Time) time.Time { return after.Add(time.Duration(r)) }

// cron is minutes, hours, day of month, month, day of week (1 is Sunday), year.
type cron struct {
	fields [6]func(int) bool
}

func parseCron(expr string, parts []string) (schedule, error) {
	limits := [6][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {1, 7}, {1970, 2199}}
	if len(parts) != len(limits) {
		return nil, fmt.Errorf("schedule %q: cron takes six fields", expr)
	}
	var c cron
	for i, p := range parts {
		set, err := parseField(p, limits[i][0], limits[i][1])
		if err != nil {
			return nil, fmt.Errorf("schedule %q: %w", expr, err)
		}
		c.fields[i] = set
	}
	return c, nil
}

func parseField(s string, low, high int) (func(int) bool, error) {
	if s == "*" || s == "?" {
		return func(int) bool { return true }, nil
	}
	set := map[int]bool{}
	for _, part := range strings.Split(s, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			var err error
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
				return nil, fmt.Errorf("field %q is not understood", s)
			}
		}
		from, to := low, high
		if span != "*" {
			a, b, ranged := strings.Cut(span, "-")
			var err, err2 error
			if from, err = strconv.Atoi(a); err == nil && !stepped {
				to = from
			}
			if ranged {
				to, err2 = strconv.Atoi(b)
			}
			if err != nil || err2 != nil || from < low || to > high {
				return nil, fmt.Errorf("field %q is not understood", s)
			}
		}
		for v := from; v <= to; v += step {
			set[v] = true
		}
	}
	return func(v int) bool { return set[v] }, nil
}

func (c cron) next(after time.Time) time.Time {
	t := after.UTC().Truncate(time.Minute).Add(time.Minute)
	// Four years hold every combination of day, month and weekday worth having.
	for end := t.AddDate(4, 0, 1); t.Before(end); {
		switch {
		case !c.fields[5](t.Year()) || !c.fields[3](int(t.Month())) || !c.fields[2](t.Day()) || !c.fields[4](int(t.Weekday())+1):
			t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, time.UTC)
		case !c.fields[1](t.Hour()):
			t = t.Truncate(time.Hour).Add(time.Hour)
		case !c.fields[0](t.Minute()):
			t = t.Add(time.Minute)
		default:
			return t
		}
	}
	return time.Time{}
}

// runSchedule invokes the function each time expr fires, until ctx ends.
func (e *Emulator) runSchedule(ctx context.Context, f Function, s schedule) {
	for {
		at := s.next(e.opts.Clock.Now())
		if at.IsZero() || clock.Sleep(ctx, e.opts.Clock, -clock.Since(e.opts.Clock, at)) != nil {
			return
		}
		if _, err := e.Invoke(ctx, f.Folder, scheduledEvent(f, at)); err != nil && ctx.Err() == nil {
			e.opts.Logger.Warn("scheduled function failed", "function", f.Folder, "error", err)
		}
	}
}

func scheduledEvent(f Function, at time.Time) []byte {
	b, err := json.Marshal(map[string]any{
		"version": "0", "id": ids.Random(), "detail-type": "Scheduled Event", "source": "aws.events",
		"account": account, "time": at.UTC().Format(time.RFC3339), "region": region,
		"resources": []string{"arn:aws:events:" + region + ":" + account + ":rule/" + f.Name},
		"detail":    map[string]any{},
	})
	if err != nil {
		panic(err) // strings only
	}
	return b
}
