package archtest

// exception lets the files below a path break a rule, for a reason.
type exception struct{ rule, path, reason string }

// exceptions returns what is allowed besides the rules. One that no file needs
// any more fails the tests.
func exceptions() []exception {
	return []exception{
		{"time", "local/embedded", "waits for processes of the operating system, which follow no injected clock"},
		{"dial", "local/apiclient", "calls Millrace itself at the address the person at the terminal gave, never for a user"},
		{"environment", "bench", "hands its own environment to the processes that it measures"},
		{"dial", "conformance", "calls the server under test at the address it was given, the way a client would"},
		{"dial", "bench", "measures a server of its own on this machine"},
		{"time", "bench", "measures real time"},
		{"sleep", "bench", "polls a process of its own until it answers"},
		{"dial", "shared/mail/smtp", "connects to the mail server of the operator's settings, never to an address of a user's"},
		{"domain", "shared/file", "its storage is the CDK's portable bucket and its remote files come through an egress client; both are values it is given"},
	}
}
