// Package config reads Millrace's settings. It is the only package that looks
// at the environment; everyone else is handed values. Names are the
// contract's where the contract has a setting of that meaning, and start with
// MILLRACE_ where it has none.
//
// START HERE: Config is the whole list, with defaults. Functions call FromEnv;
// the local command builds a Config by code and overrides parts with what the
// user set.
package config

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Config is every setting. A zero value is not usable; start from FromEnv or
// FromMap.
type Config struct {
	Data     Data
	Security Security
	URLs     URLs
	Run      Run
	Code     Code
	Files    Files
	Mail     Mail
	Egress   Egress
	Server   Server
	Observe  Observe
	Demo     Demo
}

// Data says where state lives.
type Data struct {
	// DatabaseURL is a postgres:// URL. When empty it is built from DB_*.
	DatabaseURL string `env:"DATABASE_URL"`
	DBHost      string `env:"DB_HOST"`
	DBPort      int    `env:"DB_PORT" envDefault:"5432"`
	DBUsername  string `env:"DB_USERNAME" envDefault:"postgres"`
	DBPassword  string `env:"DB_PASSWORD"`
	DBDatabase  string `env:"DB_DATABASE" envDefault:"dify"`
	// PoolSize is the number of connections one function instance may open.
	PoolSize int32 `env:"MILLRACE_DB_POOL_SIZE" envDefault:"3"`
	// RedisURL is a redis:// URL. When empty it is built from REDIS_*; without
	// either there is no Redis and live streams stay in the process.
	RedisURL      string `env:"REDIS_URL"`
	RedisHost     string `env:"REDIS_HOST"`
	RedisPort     int    `env:"REDIS_PORT" envDefault:"6379"`
	RedisPassword string `env:"REDIS_PASSWORD"`
	RedisDB       int    `env:"REDIS_DB" envDefault:"0"`
	// BlobURL is a Go CDK bucket URL: s3://, gs://, azblob://, file:///.
	BlobURL string `env:"BLOB_URL"`
	// QueueURL is a Go CDK topic URL with %s for the queue's name, for example
	// awssqs://sqs.eu-west-1.amazonaws.com/1234/millrace-%s?region=eu-west-1.
	// Empty means queues in Postgres.
	QueueURL string `env:"MILLRACE_QUEUE_URL"`
}

// Security holds keys and lifetimes.
type Security struct {
	// SecretKey signs tokens and file URLs. Required.
	SecretKey             string        `env:"SECRET_KEY"`
	InitPassword          string        `env:"INIT_PASSWORD"`
	AccessTokenMinutes    int           `env:"ACCESS_TOKEN_EXPIRE_MINUTES" envDefault:"60"`
	RefreshTokenDays      float64       `env:"REFRESH_TOKEN_EXPIRE_DAYS" envDefault:"30"`
	LoginLockoutSeconds   int           `env:"LOGIN_LOCKOUT_DURATION" envDefault:"86400"`
	CookieDomain          string        `env:"COOKIE_DOMAIN"`
	AdminAPIKeyEnable     bool          `env:"ADMIN_API_KEY_ENABLE"`
	AdminAPIKey           string        `env:"ADMIN_API_KEY"`
	AppKeyCache           time.Duration `env:"MILLRACE_APP_KEY_CACHE" envDefault:"5s"`
	WebAPICORSOrigins     string        `env:"WEB_API_CORS_ALLOW_ORIGINS" envDefault:"*"`
	EncryptDatasetIDs     bool          `env:"DSL_EXPORT_ENCRYPT_DATASET_ID" envDefault:"true"`
	DeploymentEditionName string        `env:"EDITION" envDefault:"SELF_HOSTED"`
	// FormAttempts is how often one address may open, submit or attach files to
	// forms without login, each within FormWindowSeconds.
	FormAttempts      int64 `env:"WEB_FORM_SUBMIT_RATE_LIMIT_MAX_ATTEMPTS" envDefault:"30"`
	FormWindowSeconds int   `env:"WEB_FORM_SUBMIT_RATE_LIMIT_WINDOW_SECONDS" envDefault:"60"`
}

// URLs are the public addresses that answers contain.
type URLs struct {
	ConsoleAPI string `env:"CONSOLE_API_URL"`
	ConsoleWeb string `env:"CONSOLE_WEB_URL"`
	ServiceAPI string `env:"SERVICE_API_URL"`
	AppWeb     string `env:"APP_WEB_URL"`
	Files      string `env:"FILES_URL"`
}

// Run bounds runs. Times without a unit are seconds, as in the contract.
type Run struct {
	MaxSteps          int           `env:"WORKFLOW_MAX_EXECUTION_STEPS" envDefault:"500"`
	MaxSeconds        int           `env:"WORKFLOW_MAX_EXECUTION_TIME" envDefault:"1200"`
	MaxWorkers        int           `env:"GRAPH_ENGINE_MAX_WORKERS" envDefault:"10"`
	MaxCallDepth      int           `env:"WORKFLOW_CALL_MAX_DEPTH" envDefault:"5"`
	TemplateMaxLength int           `env:"TEMPLATE_TRANSFORM_MAX_LENGTH" envDefault:"400000"`
	MultimodalFormat  string        `env:"MULTIMODAL_SEND_FORMAT" envDefault:"base64"`
	LeaseTTL          time.Duration `env:"MILLRACE_LEASE_TTL" envDefault:"15s"`
	HandoverMargin    time.Duration `env:"MILLRACE_HANDOVER_MARGIN" envDefault:"20s"`
	PingInterval      time.Duration `env:"MILLRACE_PING_INTERVAL" envDefault:"10s"`
	// Parallel iterations over more items than FanOutOver are split into parts of
	// FanOutSize items, which any worker may take: at most FanOutPerRun at once for
	// a run and FanOutPerWorkspace (0: no limit) for a workspace.
	FanOutOver         int `env:"MILLRACE_FANOUT_OVER" envDefault:"200"`
	FanOutSize         int `env:"MILLRACE_FANOUT_SIZE" envDefault:"50"`
	FanOutPerRun       int `env:"MILLRACE_FANOUT_PER_RUN" envDefault:"4"`
	FanOutPerWorkspace int `env:"MILLRACE_FANOUT_PER_WORKSPACE" envDefault:"16"`
	// AtOnce is how many runs one process has under way for clients; more wait for
	// their turn (0: no limit).
	AtOnce int `env:"MILLRACE_RUNS_AT_ONCE" envDefault:"1000"`
	// FormTimeoutSeconds is the longest that a run waits for a person.
	FormTimeoutSeconds int `env:"HUMAN_INPUT_GLOBAL_TIMEOUT_SECONDS" envDefault:"604800"`
	// Owner names this process in leases; empty means a new random name.
	Owner string `env:"MILLRACE_OWNER"`
}

// Code says how code nodes run and bounds their results.
type Code struct {
	// Sandbox is jail (a child process of this one), remote (the contract's
	// sandbox protocol at Endpoint) or auto: remote when Endpoint is set.
	Sandbox           string `env:"MILLRACE_SANDBOX" envDefault:"auto"`
	Endpoint          string `env:"CODE_EXECUTION_ENDPOINT"`
	APIKey            string `env:"CODE_EXECUTION_API_KEY" envDefault:"dify-sandbox"`
	AllowNetwork      bool   `env:"MILLRACE_CODE_NETWORK" envDefault:"false"`
	Python            string `env:"MILLRACE_PYTHON"`
	MaxStringLength   int    `env:"CODE_MAX_STRING_LENGTH" envDefault:"400000"`
	MaxDepth          int    `env:"CODE_MAX_DEPTH" envDefault:"5"`
	MaxPrecision      int    `env:"CODE_MAX_PRECISION" envDefault:"20"`
	MaxNumber         int64  `env:"CODE_MAX_NUMBER" envDefault:"9223372036854775807"`
	MinNumber         int64  `env:"CODE_MIN_NUMBER" envDefault:"-9223372036854775808"`
	MaxStringArrayLen int    `env:"CODE_MAX_STRING_ARRAY_LENGTH" envDefault:"30"`
	MaxObjectArrayLen int    `env:"CODE_MAX_OBJECT_ARRAY_LENGTH" envDefault:"30"`
	MaxNumberArrayLen int    `env:"CODE_MAX_NUMBER_ARRAY_LENGTH" envDefault:"1000"`
}

// Files bounds uploads. Sizes are MiB.
type Files struct {
	SizeLimitMB        int    `env:"UPLOAD_FILE_SIZE_LIMIT" envDefault:"15"`
	ImageSizeLimitMB   int    `env:"UPLOAD_IMAGE_FILE_SIZE_LIMIT" envDefault:"10"`
	VideoSizeLimitMB   int    `env:"UPLOAD_VIDEO_FILE_SIZE_LIMIT" envDefault:"100"`
	AudioSizeLimitMB   int    `env:"UPLOAD_AUDIO_FILE_SIZE_LIMIT" envDefault:"50"`
	WorkflowFileLimit  int    `env:"WORKFLOW_FILE_UPLOAD_LIMIT" envDefault:"10"`
	ExtensionBlacklist string `env:"UPLOAD_FILE_EXTENSION_BLACKLIST"`
	AccessSeconds      int    `env:"FILES_ACCESS_TIMEOUT" envDefault:"300"`
}

// Mail says how e-mails to people are sent.
type Mail struct {
	// Type is smtp, log (mails are written to the log instead of sent) or empty: no
	// mails.
	Type string `env:"MAIL_TYPE"`
	From string `env:"MAIL_DEFAULT_SEND_FROM"`
	// SMTPServer and what follows is the server for smtp.
	SMTPServer        string `env:"SMTP_SERVER"`
	SMTPPort          int    `env:"SMTP_PORT" envDefault:"465"`
	SMTPUsername      string `env:"SMTP_USERNAME"`
	SMTPPassword      string `env:"SMTP_PASSWORD"`
	SMTPUseTLS        bool   `env:"SMTP_USE_TLS"`
	SMTPOpportunistic bool   `env:"SMTP_OPPORTUNISTIC_TLS"`
	SMTPLocalHostname string `env:"SMTP_LOCAL_HOSTNAME"`
}

// Egress bounds requests made for users.
type Egress struct {
	// AllowPrivate lets users' requests reach loopback and private addresses. It
	// is off in the cloud and on in the local command.
	AllowPrivate      bool   `env:"MILLRACE_EGRESS_ALLOW_PRIVATE" envDefault:"false"`
	ProxyURL          string `env:"SSRF_PROXY_ALL_URL"`
	ConnectSeconds    int    `env:"HTTP_REQUEST_MAX_CONNECT_TIMEOUT" envDefault:"10"`
	ReadSeconds       int    `env:"HTTP_REQUEST_MAX_READ_TIMEOUT" envDefault:"600"`
	WriteSeconds      int    `env:"HTTP_REQUEST_MAX_WRITE_TIMEOUT" envDefault:"600"`
	MaxBinarySize     int64  `env:"HTTP_REQUEST_NODE_MAX_BINARY_SIZE" envDefault:"10485760"`
	MaxTextSize       int64  `env:"HTTP_REQUEST_NODE_MAX_TEXT_SIZE" envDefault:"1048576"`
	VerifyCertificate bool   `env:"HTTP_REQUEST_NODE_SSL_VERIFY" envDefault:"true"`
}

// Server says how a function is reached on plain HTTP and how the platform
// delivers events to it.
type Server struct {
	// Lambda is true when the process was started by a Lambda runtime.
	Lambda bool
	// StreamResponse says that the deployment streams answers: the event does
	// not tell.
	StreamResponse bool `env:"MILLRACE_STREAM_RESPONSE"`
	// TaskToken is the bearer token that callers of the task routes must bring.
	TaskToken string `env:"MILLRACE_TASK_TOKEN"`
	// TasksTrusted says that the platform authenticates those callers itself.
	TasksTrusted bool `env:"MILLRACE_TASKS_TRUSTED"`
	// FunctionPrefix precedes function names in direct calls.
	FunctionPrefix string `env:"MILLRACE_FUNCTION_PREFIX" envDefault:"millrace-"`
}

// Observe says what is reported and where to.
type Observe struct {
	// LogLevel empty means INFO, and WARN in the local command.
	LogLevel     string `env:"LOG_LEVEL"`
	LogFormat    string `env:"LOG_OUTPUT_FORMAT" envDefault:"text"`
	OTelEnabled  bool   `env:"ENABLE_OTEL"`
	OTLPEndpoint string `env:"OTLP_BASE_ENDPOINT" envDefault:"http://localhost:4318"`
	OTLPAPIKey   string `env:"OTLP_API_KEY"`
}

// Demo says which model the demo uses; without a key or an address it is a
// built-in mock.
type Demo struct {
	OpenAIKey     string `env:"OPENAI_API_KEY"`
	OpenAIBaseURL string `env:"OPENAI_BASE_URL"`
	OpenAIModel   string `env:"OPENAI_MODEL" envDefault:"gpt-4o-mini"`
}

// FromEnv reads the process's environment.
func FromEnv() (Config, error) { return FromMap(Environ()) }

// Environ returns the process's environment as a map.
func Environ() map[string]string { return env.ToMap(os.Environ()) }

// FromMap reads settings from vars as if they were the environment. An error
// names the setting and says what it must look like.
func FromMap(vars map[string]string) (Config, error) {
	var c Config
	if err := env.ParseWithOptions(&c, env.Options{Environment: vars}); err != nil {
		return Config{}, fmt.Errorf("settings: %w", err)
	}
	if c.Data.DatabaseURL == "" && c.Data.DBHost != "" {
		c.Data.DatabaseURL = (&url.URL{
			Scheme: "postgres", User: url.UserPassword(c.Data.DBUsername, c.Data.DBPassword),
			Host: c.Data.DBHost + ":" + strconv.Itoa(c.Data.DBPort), Path: "/" + c.Data.DBDatabase,
		}).String()
	}
	if c.Data.RedisURL == "" && c.Data.RedisHost != "" {
		u := url.URL{
			Scheme: "redis", Host: c.Data.RedisHost + ":" + strconv.Itoa(c.Data.RedisPort),
			Path: "/" + strconv.Itoa(c.Data.RedisDB),
		}
		if c.Data.RedisPassword != "" {
			u.User = url.UserPassword("", c.Data.RedisPassword)
		}
		c.Data.RedisURL = u.String()
	}
	if c.Demo.OpenAIKey != "" && c.Demo.OpenAIBaseURL == "" {
		c.Demo.OpenAIBaseURL = "https://api.openai.com/v1"
	}
	c.Server.Lambda = vars["AWS_LAMBDA_RUNTIME_API"] != ""
	return c, nil
}

// Need reports which of the named settings a function cannot do without and
// has not been given. Known names: DATABASE_URL, BLOB_URL, SECRET_KEY.
func (c Config) Need(names ...string) error {
	have := map[string]string{
		"DATABASE_URL": c.Data.DatabaseURL, "BLOB_URL": c.Data.BlobURL, "SECRET_KEY": c.Security.SecretKey,
	}
	var missing []string
	for _, n := range names {
		if have[n] == "" {
			missing = append(missing, n)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("settings: set %s (see docs/settings.md)", strings.Join(missing, ", "))
	}
	return nil
}
