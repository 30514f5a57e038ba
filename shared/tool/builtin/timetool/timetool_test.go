package timetool_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/tool"
	"github.com/millrace/millrace/shared/tool/builtin"
	"github.com/millrace/millrace/shared/tool/builtin/timetool"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/tool/tooltest"
	"github.com/millrace/millrace/shared/workflow/value"
)

func runtime() *builtin.Runtime {
	return builtin.New(timetool.New(clock.NewFake(time.Date(2024, 2, 5, 23, 4, 9, 123456000, time.UTC))))
}

func call(name string, params *value.Object) driver.Call {
	return driver.Call{Ref: driver.Ref{TenantID: "t", Type: driver.Builtin, Provider: "time", Tool: name}, Parameters: params}
}

func TestRuntime(t *testing.T) {
	t.Parallel()
	tooltest.Run(t, func(*testing.T) tooltest.Subject {
		bad := call("weekday", value.Obj("month", int64(2), "day", int64(3)))
		return tooltest.Subject{
			Runtime: runtime(), Type: driver.Builtin, Fails: &bad,
			Works: call("weekday", value.Obj("year", int64(2024), "month", int64(2), "day", int64(3))),
		}
	})
}

// ask calls a tool the way a node does, defaults and conversions included.
func ask(t *testing.T, name string, params *value.Object) (string, error) {
	t.Helper()
	s := tool.New(tool.Options{Runtimes: map[tool.ProviderType]driver.Runtime{driver.Builtin: runtime()}})
	c := call(name, params)
	found, err := s.Find(t.Context(), c.Ref)
	require.NoError(t, err)
	said := ""
	err = s.Invoke(t.Context(), found, &c, func(m tool.Message) error {
		require.Equal(t, driver.Words, m.Type)
		said += m.Text
		return nil
	})
	return said, err
}

func TestTools(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tool   string
		params *value.Object
		want   string // "" fails
	}{
		{"weekday", value.Obj("year", int64(2024), "month", "2", "day", "29"), "February 29, 2024 is Thursday."},
		{"weekday", value.Obj("year", int64(2024), "month", int64(2), "day", int64(5)), "February 5, 2024 is Monday."},
		{"weekday", value.Obj("year", int64(2023), "month", int64(2), "day", int64(29)), "Invalid date: Year 2023, Month 2, Day 29."},
		{"weekday", value.Obj("year", nil, "month", int64(2), "day", int64(1)), ""},
		{"weekday", value.Obj("year", "soon", "month", int64(2), "day", int64(1)), ""},
		{"timezone_conversion", value.Obj("current_time", "2024-03-01 10:00:00", "current_timezone", "UTC", "target_timezone", "Asia/Tokyo"), "2024-03-01 19:00:00"},
		{"timezone_conversion", value.Obj("current_time", "2024-3-1 9:0:0"), "2024-03-01 10:00:00"},
		{"timezone_conversion", value.Obj("current_time", "2024-07-01 12:00:00", "current_timezone", "Europe/Berlin", "target_timezone", "America/New_York"), "2024-07-01 06:00:00"},
		{"timezone_conversion", value.Obj("current_time", "never"), ""},
		{"timezone_conversion", value.Obj("current_time", "2024-03-01 10:00:00", "target_timezone", "Local"), ""},
		{"timezone_conversion", value.Obj("current_time", "2024-03-01 10:00:00", "target_timezone", "Moon/Base"), ""},
		{"localtime_to_timestamp", value.Obj("localtime", "2023-11-14 22:13:20", "timezone", "UTC"), "1700000000"},
		{"localtime_to_timestamp", value.Obj("localtime", "2023-11-15 06:13:20"), "1700000000"},
		{"localtime_to_timestamp", value.Obj("localtime", "2023-11-15"), ""},
		{"timestamp_to_localtime", value.Obj("timestamp", "1700000000", "timezone", "UTC"), "2023-11-14 22:13:20"},
		{"timestamp_to_localtime", value.Obj("timestamp", 1700000000.9), "2023-11-15 06:13:20"},
		{"timestamp_to_localtime", value.Obj("timestamp", int64(1)<<60), ""},
		{"current_time", value.NewObject(0), "2024-02-05 23:04:09"},
		{"current_time", value.Obj("timezone", "Asia/Tokyo", "format", "%A %d %B %Y, %I:%M %p %Z%z"), "Tuesday 06 February 2024, 08:04 AM JST+0900"},
		{"current_time", value.Obj("timezone", "Moon/Base"), "Invalid timezone: Moon/Base"},
		{"current_time", value.Obj("format", "%a %b %e %H %I %j %f %y %u %w %U %W %G-%V %C %% %q %D %T %F %s%n%t%c|%"),
			"Mon Feb  5 23 11 036 123456 24 1 1 05 06 2024-06 20 % %q 02/05/24 23:04:09 2024-02-05 1707174249\n\tMon Feb  5 23:04:09 2024|%"},
	} {
		got, err := ask(t, c.tool, c.params)
		if c.want == "" {
			require.Error(t, err, "%s %s", c.tool, value.JSON(c.params))
			continue
		}
		require.NoError(t, err, "%s %s", c.tool, value.JSON(c.params))
		require.Equal(t, c.want, got, "%s %s", c.tool, value.JSON(c.params))
	}
}
