package timetool

import (
	"fmt"
	"strings"
	"time"
)

// layouts of the format directives that Go's time package has, too.
func layout(directive byte) string {
	switch directive {
	case 'a':
		return "Mon"
	case 'A':
		return "Monday"
	case 'b', 'h':
		return "Jan"
	case 'B':
		return "January"
	case 'c':
		return "Mon Jan _2 15:04:05 2006"
	case 'd':
		return "02"
	case 'D', 'x':
		return "01/02/06"
	case 'e':
		return "_2"
	case 'F':
		return "2006-01-02"
	case 'H':
		return "15"
	case 'I':
		return "03"
	case 'm':
		return "01"
	case 'M':
		return "04"
	case 'p':
		return "PM"
	case 'R':
		return "15:04"
	case 'S':
		return "05"
	case 'T', 'X':
		return "15:04:05"
	case 'y':
		return "06"
	case 'Y':
		return "2006"
	case 'z':
		return "-0700"
	case 'Z':
		return "MST"
	}
	return ""
}

// strftime formats a time the way C and Python do. A directive that they do
// not have stays as it is.
func strftime(t time.Time, format string) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		if l := layout(format[i]); l != "" {
			b.WriteString(t.Format(l))
			continue
		}
		b.WriteString(other(t, format[i]))
	}
	return b.String()
}

// other are the directives that Go's layouts cannot say.
func other(t time.Time, directive byte) string {
	switch directive {
	case '%':
		return "%"
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case 'f':
		return fmt.Sprintf("%06d", t.Nanosecond()/int(time.Microsecond))
	case 'j':
		return fmt.Sprintf("%03d", t.YearDay())
	case 's':
		return fmt.Sprint(t.Unix())
	case 'u':
		return fmt.Sprint((int(t.Weekday())+6)%7 + 1)
	case 'w':
		return fmt.Sprint(int(t.Weekday()))
	case 'U': // weeks that start on Sunday
		return fmt.Sprintf("%02d", (t.YearDay()+6-int(t.Weekday()))/7)
	case 'W': // weeks that start on Monday
		return fmt.Sprintf("%02d", (t.YearDay()+6-(int(t.Weekday())+6)%7)/7)
	case 'G', 'V':
		year, week := t.ISOWeek()
		if directive == 'G' {
			return fmt.Sprint(year)
		}
		return fmt.Sprintf("%02d", week)
	case 'C':
		return fmt.Sprintf("%02d", t.Year()/100)
	}
	return "%" + string(directive)
}
