// Package timetool is the built-in provider "time": the current time,
// conversions between time zones and timestamps, and days of the week.
package timetool

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // functions run in images without a time zone database

	"github.com/millrace/millrace/shared/clock"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/tool/builtin"
	"github.com/millrace/millrace/shared/tool/driver"
	"github.com/millrace/millrace/shared/workflow/value"
)

// The contract's defaults.
const (
	defaultFormat = "%Y-%m-%d %H:%M:%S"
	defaultZone   = "UTC"
	localZone     = "Asia/Shanghai"
	targetZone    = "Asia/Tokyo"
)

// written is how tools take and give local times: digits may be missing their
// leading zeros when they are read.
const (
	written = "2006-01-02 15:04:05"
	read    = "2006-1-2 15:4:5"
)

const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#155EEF" stroke-width="2" stroke-linecap="round">` +
	`<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3.5 2"/></svg>`

// New returns the provider. It tells the time of clk.
func New(clk clock.Clock) *builtin.Provider {
	labels := []string{"utilities"}
	text := func(name, label, chinese, about string) driver.Parameter {
		return driver.Parameter{
			Name: name, Type: "string", Form: driver.FormLLM, Required: true, Label: builtin.Translated(label, chinese),
			Description: builtin.Same(about), ModelDescription: about,
		}
	}
	zone := func(name, label, chinese, fallback string, required bool) driver.Parameter {
		p := text(name, label, chinese, "an IANA time zone such as "+fallback)
		p.Required, p.Default = required, fallback
		return p
	}
	number := func(name, chinese string) driver.Parameter {
		return driver.Parameter{
			Name: name, Type: "number", Form: driver.FormLLM, Required: true, Label: builtin.Translated(strings.ToUpper(name[:1])+name[1:], chinese),
			Description: builtin.Same("the " + name), ModelDescription: "the " + name,
		}
	}
	tool := func(name, label, chinese, about string, params ...driver.Parameter) *driver.Tool {
		return &driver.Tool{
			Name: name, Label: builtin.Translated(label, chinese), Description: builtin.Same(about), ModelDescription: about,
			Parameters: params, OutputSchema: value.NewObject(0), Labels: labels,
		}
	}
	format := driver.Parameter{
		Name: "format", Type: "string", Form: driver.FormForm, Default: defaultFormat, Label: builtin.Translated("Format", "格式"),
		Description: builtin.Same("how the time is written, as strftime has it"),
	}
	nowZone := driver.Parameter{
		Name: "timezone", Type: "select", Form: driver.FormForm, Default: defaultZone, Label: builtin.Translated("Timezone", "时区"),
		Description: builtin.Same("where the time is told"), Options: zones(),
	}
	timestamp := number("timestamp", "时间戳")
	timestamp.Description, timestamp.ModelDescription = builtin.Same("seconds since 1970 in UTC"), "seconds since 1970-01-01 00:00:00 UTC"
	p := &builtin.Provider{Provider: driver.Provider{
		Type: driver.Builtin, ID: "time", Name: "time", Author: "Millrace", Label: builtin.Translated("Time", "时间"),
		Description: builtin.Same("Tells and converts times."), Labels: labels,
		Icon: driver.Icon{MIMEType: "image/svg+xml", Data: []byte(icon)},
		Tools: []*driver.Tool{
			tool("timezone_conversion", "Convert time to another timezone", "时区转换", "Converts a local time from one time zone to another.",
				text("current_time", "Current time", "当前时间", "a local time like 2024-01-01 00:00:00"),
				zone("current_timezone", "Current timezone", "当前时区", localZone, true), zone("target_timezone", "Target timezone", "目标时区", targetZone, true)),
			tool("timestamp_to_localtime", "Timestamp to local time", "时间戳转本地时间", "Converts a timestamp to the local time of a time zone.",
				timestamp, zone("timezone", "Timezone", "时区", localZone, false)),
			tool("weekday", "Weekday Calculator", "星期几计算器", "Tells the day of the week of a date.",
				number("year", "年"), number("month", "月"), number("day", "日")),
			tool("current_time", "Current Time", "获取当前时间", "Tells the current date and time.", format, nowZone),
			tool("localtime_to_timestamp", "Local time to timestamp", "本地时间转时间戳", "Converts the local time of a time zone to a timestamp.",
				text("localtime", "Local time", "本地时间", "a local time like 2024-01-01 00:00:00"), zone("timezone", "Timezone", "时区", localZone, false)),
		},
	}}
	p.Funcs = map[string]builtin.Func{
		"current_time":           current(clk),
		"localtime_to_timestamp": pure(toTimestamp),
		"timestamp_to_localtime": pure(toLocal),
		"timezone_conversion":    pure(convert),
		"weekday":                pure(weekday),
	}
	return p
}

// pure makes a tool of a function that answers with a text.
func pure(f func(*value.Object) (string, error)) builtin.Func {
	return func(_ context.Context, call *driver.Call, send func(driver.Message) error) error {
		text, err := f(call.Parameters)
		if err != nil {
			return err
		}
		return builtin.Say(send, text)
	}
}

func current(clk clock.Clock) builtin.Func {
	return pure(func(in *value.Object) (string, error) {
		name, format := in.String("timezone"), in.String("format")
		if name == "" {
			name = defaultZone
		}
		if format == "" {
			format = defaultFormat
		}
		loc, err := zone(name)
		if err != nil {
			return "Invalid timezone: " + name, nil //nolint:nilerr // the contract's tool says so instead of failing
		}
		return strftime(clk.Now().In(loc), format), nil
	})
}

func toTimestamp(in *value.Object) (string, error) {
	t, err := parse(in.String("localtime"), in.String("timezone"))
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(t.Unix(), 10), nil
}

func toLocal(in *value.Object) (string, error) {
	loc, err := zone(in.String("timezone"))
	if err != nil {
		return "", err
	}
	var t time.Time
	switch n := in.Value("timestamp").(type) {
	case int64:
		t = time.Unix(n, 0)
	case float64:
		t = time.Unix(int64(math.Floor(n)), 0)
	default:
		return "", errs.Newf(errs.InvalidParam, "Invalid timestamp: %s", value.Str(n))
	}
	if t = t.In(loc); t.Year() < 1 || t.Year() > 9999 {
		return "", errs.Newf(errs.InvalidParam, "Invalid timestamp: %s", value.Str(in.Value("timestamp")))
	}
	return t.Format(written), nil
}

func convert(in *value.Object) (string, error) {
	t, err := parse(in.String("current_time"), in.String("current_timezone"))
	if err != nil {
		return "", err
	}
	loc, err := zone(in.String("target_timezone"))
	if err != nil {
		return "", err
	}
	return t.In(loc).Format(written), nil
}

func weekday(in *value.Object) (string, error) {
	var date [3]int
	for i, name := range []string{"year", "month", "day"} {
		switch n := in.Value(name).(type) {
		case int64:
			date[i] = int(n)
		case float64:
			date[i] = int(n)
		default:
			return "", errs.Newf(errs.InvalidParam, "Invalid %s: %s", name, value.Str(n))
		}
	}
	year, month, day := date[0], date[1], date[2]
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if year < 1 || year > 9999 || t.Month() != time.Month(month) || t.Day() != day {
		return fmt.Sprintf("Invalid date: Year %d, Month %d, Day %d.", year, month, day), nil
	}
	return fmt.Sprintf("%s %d, %d is %s.", t.Month(), day, year, t.Weekday()), nil
}

func parse(text, zoneName string) (time.Time, error) {
	loc, err := zone(zoneName)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.ParseInLocation(read, strings.TrimSpace(text), loc)
	if err != nil {
		return time.Time{}, errs.Newf(errs.InvalidParam, "The time %s is not written like 2024-01-31 18:30:00.", value.Repr(text))
	}
	return t, nil
}

// zone finds a time zone. The machine's own is nobody's business.
func zone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, errs.Newf(errs.InvalidParam, "Invalid timezone: %s", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, errs.Newf(errs.InvalidParam, "Invalid timezone: %s", name)
	}
	return loc, nil
}

// zones are the ones that editors offer.
func zones() []driver.Option {
	names := strings.Fields(`UTC America/New_York America/Los_Angeles America/Chicago America/Sao_Paulo Asia/Shanghai Asia/Ho_Chi_Minh
		Asia/Tokyo Asia/Dubai Asia/Kolkata Asia/Seoul Asia/Singapore Europe/London Europe/Berlin Europe/Moscow Australia/Sydney
		Pacific/Auckland Africa/Cairo`)
	out := make([]driver.Option, len(names))
	for i, name := range names {
		out[i] = driver.Option{Value: name, Label: builtin.Same(name)}
	}
	return out
}
