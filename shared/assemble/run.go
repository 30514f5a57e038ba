package assemble

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gocloud.dev/pubsub"

	"github.com/millrace/millrace/shared/catalogue"
	"github.com/millrace/millrace/shared/chat"
	"github.com/millrace/millrace/shared/cloudruntime"
	"github.com/millrace/millrace/shared/egress"
	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/eventstream"
	esdriver "github.com/millrace/millrace/shared/eventstream/driver"
	"github.com/millrace/millrace/shared/eventstream/memstream"
	"github.com/millrace/millrace/shared/eventstream/redisstream"
	"github.com/millrace/millrace/shared/file"
	"github.com/millrace/millrace/shared/pgqueue"
	"github.com/millrace/millrace/shared/postgres/chats"
	"github.com/millrace/millrace/shared/postgres/files"
	"github.com/millrace/millrace/shared/postgres/runs"
	"github.com/millrace/millrace/shared/run"
	"github.com/millrace/millrace/shared/runstore"
	"github.com/millrace/millrace/shared/workflow/engine"
	"github.com/millrace/millrace/shared/workflow/node"
	"github.com/millrace/millrace/shared/workflow/node/answer"
	"github.com/millrace/millrace/shared/workflow/node/assigner"
	"github.com/millrace/millrace/shared/workflow/node/code"
	"github.com/millrace/millrace/shared/workflow/node/documentextractor"
	"github.com/millrace/millrace/shared/workflow/node/end"
	"github.com/millrace/millrace/shared/workflow/node/httprequest"
	"github.com/millrace/millrace/shared/workflow/node/humaninput"
	"github.com/millrace/millrace/shared/workflow/node/ifelse"
	"github.com/millrace/millrace/shared/workflow/node/iteration"
	"github.com/millrace/millrace/shared/workflow/node/listoperator"
	"github.com/millrace/millrace/shared/workflow/node/llm"
	"github.com/millrace/millrace/shared/workflow/node/loop"
	"github.com/millrace/millrace/shared/workflow/node/loopend"
	"github.com/millrace/millrace/shared/workflow/node/modelcall"
	"github.com/millrace/millrace/shared/workflow/node/parameterextractor"
	"github.com/millrace/millrace/shared/workflow/node/questionclassifier"
	"github.com/millrace/millrace/shared/workflow/node/start"
	"github.com/millrace/millrace/shared/workflow/node/templatetransform"
	"github.com/millrace/millrace/shared/workflow/node/tool"
	"github.com/millrace/millrace/shared/workflow/node/variableaggregator"
)

func runStore(p *Platform) (*runstore.Store, error) {
	return once(p, "runstore", func() (*runstore.Store, error) {
		pool, err := p.Pool()
		if err != nil {
			return nil, err
		}
		return runstore.New(runs.New(pool), p.Config.Run.LeaseTTL), nil
	})
}

func eventStream(p *Platform) (*eventstream.Stream, error) {
	return once(p, "eventstream", func() (*eventstream.Stream, error) {
		rdb, err := p.Redis()
		if err != nil {
			return nil, err
		}
		var d esdriver.Driver = memstream.New(p.Clock)
		if rdb != nil {
			d = redisstream.New(rdb)
		}
		return eventstream.New(d), nil
	})
}

// watcher is a run service that cannot advance runs: it joins, stops and finds
// them. Functions that need no more link no node types.
func watcher(p *Platform) (*run.Service, error) {
	return once(p, "run-watcher", func() (*run.Service, error) {
		return newRunService(p, node.NewRegistry(), nil)
	})
}

// runner is the run service with every node type.
func runner(p *Platform) (*run.Service, error) {
	return once(p, "run-runner", func() (*run.Service, error) {
		types, err := nodeTypes(p)
		if err != nil {
			return nil, err
		}
		graphs, err := graphSource(p)
		if err != nil {
			return nil, err
		}
		s, err := newRunService(p, types, graphs)
		if err != nil {
			return nil, err
		}
		if s.Replays, err = replayStore(p); err != nil {
			return nil, err
		}
		s.Keeper, err = storedDrafts(p)
		return s, err
	})
}

func newRunService(p *Platform, types engine.Types, graphs run.GraphSource) (*run.Service, error) {
	store, err := runStore(p)
	if err != nil {
		return nil, err
	}
	stream, err := eventStream(p)
	if err != nil {
		return nil, err
	}
	o := run.Options{
		Owner: p.Config.Run.Owner, Queue: catalogue.RunQueue(""), Log: p.Logger,
		Engine: engine.Options{
			Parallel: p.Config.Run.MaxWorkers, MaxSteps: p.Config.Run.MaxSteps, MaxTime: seconds(p.Config.Run.MaxSeconds),
			HandoverMargin: p.Config.Run.HandoverMargin,
			FanOut:         engine.FanOut{Over: p.Config.Run.FanOutOver, Size: p.Config.Run.FanOutSize, AtOnce: p.Config.Run.FanOutPerRun},
		},
		PartsPerTenant: p.Config.Run.FanOutPerWorkspace, MaxCallDepth: p.Config.Run.MaxCallDepth,
	}
	if p.Telemetry.Enabled() {
		o.Tracer = p.Telemetry.Tracer()
	}
	s := run.New(run.Deps{Store: store, Stream: stream, Types: types, Graphs: graphs, Clock: p.Clock, Sender: sender{p}}, o)
	p.OnClose(func(ctx context.Context) error { s.Wait(ctx); return nil })
	return s, nil
}

// nodeTypes lists the node types: adding one is a line here and a folder below
// shared/workflow/node.
func nodeTypes(p *Platform) (*node.Registry, error) {
	fileService, err := fileService(p)
	if err != nil {
		return nil, err
	}
	models, err := providerService(p)
	if err != nil {
		return nil, err
	}
	box, err := openSandbox(p)
	if err != nil {
		return nil, err
	}
	conversations, err := chatService(p)
	if err != nil {
		return nil, err
	}
	tools, err := toolService(p)
	if err != nil {
		return nil, err
	}
	forms, err := formSender(p)
	if err != nil {
		return nil, err
	}
	e, limits := p.Config.Egress, p.Config.Code
	insecure := p.newEgress(e.MaxBinarySize+1, true)
	prompts := modelcall.Options{
		Memory: memory{conversations}, Files: promptFiles{files: fileService, asURL: p.Config.Run.MultimodalFormat == "url"},
	}
	return node.NewRegistry(
		start.New(),
		end.New(),
		answer.New(),
		templatetransform.New(templatetransform.Options{MaxLength: p.Config.Run.TemplateMaxLength}),
		ifelse.New(),
		variableaggregator.New(),
		variableaggregator.NewLegacy(),
		listoperator.New(),
		iteration.New(),
		loop.New(),
		loopend.New(),
		assigner.New(),
		humaninput.New(forms, stopRun(p)),
		documentextractor.New(fileService, nil),
		httprequest.New(httprequest.Options{
			Client: p.newEgress(e.MaxBinarySize+1, false), Insecure: insecure, Files: fileService, MaxText: e.MaxTextSize,
			MaxBinary: e.MaxBinarySize, SkipVerify: !e.VerifyCertificate,
			Timeouts: egress.Timeouts{Connect: seconds(e.ConnectSeconds), Read: seconds(e.ReadSeconds), Write: seconds(e.WriteSeconds)},
		}),
		llm.New(models, llm.Options{Options: prompts}),
		questionclassifier.New(models, prompts),
		parameterextractor.New(models, prompts),
		tool.New(tools, tool.Options{ConsoleURL: p.Config.URLs.ConsoleAPI}),
		code.New(box, code.Options{Limits: code.Limits{
			StringLength: limits.MaxStringLength, Depth: limits.MaxDepth, Precision: limits.MaxPrecision,
			MinNumber: limits.MinNumber, MaxNumber: limits.MaxNumber, StringArray: limits.MaxStringArrayLen,
			ObjectArray: limits.MaxObjectArrayLen, NumberArray: limits.MaxNumberArrayLen,
		}}),
	), nil
}

func fileService(p *Platform) (*file.Service, error) {
	return once(p, "files", func() (*file.Service, error) {
		pool, err := p.Pool()
		if err != nil {
			return nil, err
		}
		bucket, err := p.Bucket()
		if err != nil {
			return nil, err
		}
		f := p.Config.Files
		base := p.Config.URLs.Files
		if base == "" {
			base = p.Config.URLs.ConsoleAPI
		}
		return file.NewService(file.Options{
			Store: files.New(pool), Bucket: bucket, Client: p.Egress(), Clock: p.Clock,
			Signer: file.NewSigner(p.Config.Security.SecretKey, base, seconds(f.AccessSeconds), p.Clock),
			Limits: file.Limits{
				File: int64(f.SizeLimitMB) << 20, Image: int64(f.ImageSizeLimitMB) << 20,
				Video: int64(f.VideoSizeLimitMB) << 20, Audio: int64(f.AudioSizeLimitMB) << 20,
			},
			BlockedExtensions: strings.Split(f.ExtensionBlacklist, ","),
		}), nil
	})
}

func chatService(p *Platform) (*chat.Service, error) {
	return once(p, "chat", func() (*chat.Service, error) {
		pool, err := p.Pool()
		if err != nil {
			return nil, err
		}
		return chat.NewService(chats.New(pool), p.Clock.Now), nil
	})
}

// sender relays wake-ups to queues; the trace goes along in the metadata.
type sender struct{ p *Platform }

// Send sends one wake-up.
func (s sender) Send(ctx context.Context, queue string, m run.Message) error {
	topic, err := s.p.Topic(ctx, queue)
	if err != nil {
		return err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	metadata := map[string]string{}
	for k, v := range m.Attributes {
		metadata[k] = v
	}
	ctx, span := s.p.Telemetry.Send(s.p.Telemetry.Extract(ctx, metadata), queue, metadata)
	defer span.End()
	return topic.Send(ctx, &pubsub.Message{Body: body, Metadata: metadata})
}

// queueListener hears of new messages in Postgres queues: one connection for
// the process.
func queueListener(p *Platform) (*pgqueue.Listener, error) {
	return once(p, "queue-listener", func() (*pgqueue.Listener, error) {
		pool, err := p.Pool()
		if err != nil {
			return nil, err
		}
		l := pgqueue.NewListener(pool, &pgqueue.ListenerOptions{Clock: p.Clock, Logger: p.Logger})
		p.OnClose(func(context.Context) error { l.Close(); return nil })
		return l, nil
	})
}

// visibility is how long a message of a run queue stays hidden: longer than an
// invocation may take, so that a working one is not doubled.
const visibility = 16 * time.Minute

// Subscription opens a queue for receiving, for the emulators of local: in a
// cloud the platform hands messages to functions itself.
func Subscription(ctx context.Context, p *Platform, queue string) (*pubsub.Subscription, error) {
	if p.Config.Data.QueueURL != "" {
		return pubsub.OpenSubscription(ctx, strings.ReplaceAll(p.Config.Data.QueueURL, "%s", queue))
	}
	pool, err := p.Pool()
	if err != nil {
		return nil, err
	}
	if err := pgqueue.Declare(ctx, pool, queue); err != nil {
		return nil, err
	}
	l, err := queueListener(p)
	if err != nil {
		return nil, err
	}
	sub := pgqueue.OpenSubscription(pool, queue, &pgqueue.SubscriptionOptions{Visibility: visibility, Listener: l, Clock: p.Clock})
	p.OnClose(sub.Shutdown)
	return sub, nil
}

// ExpireOwnLeases frees what an earlier process of the same name held, and
// wakes those runs up. It returns how many there were.
func ExpireOwnLeases(ctx context.Context, p *Platform) (int, error) {
	s, err := watcher(p)
	if err != nil {
		return 0, err
	}
	return s.ExpireOwner(ctx, s.Owner())
}

// RunWorkflow builds run-workflow.
func RunWorkflow(_ context.Context, p *Platform) (cloudruntime.Handlers, error) {
	s, err := runner(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	return cloudruntime.Handlers{Task: func(ctx context.Context, t cloudruntime.Task) ([]byte, error) {
		var m run.Message
		if err := json.Unmarshal(t.Body, &m); err != nil || m.RunID == "" {
			// A message that is no wake-up never becomes one: do not take it again.
			p.Logger.ErrorContext(ctx, "message dropped: it is no wake-up", "queue", t.Source, "id", t.ID)
			return nil, nil //nolint:nilerr // an error would bring it back
		}
		err := s.Continue(ctx, m.TenantID, m.RunID)
		if errs.Is(err, errs.NotFound) {
			p.Logger.WarnContext(ctx, "wake-up for a run that is gone", "run_id", m.RunID)
			return nil, nil
		}
		return nil, err
	}}, nil
}

// Tick builds tick.
func Tick(_ context.Context, p *Platform) (cloudruntime.Handlers, error) {
	s, err := watcher(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	forms, err := formSender(p)
	if err != nil {
		return cloudruntime.Handlers{}, err
	}
	return cloudruntime.Handlers{Task: func(ctx context.Context, _ cloudruntime.Task) ([]byte, error) {
		owed := forms.Sweep(ctx) // what it signals is due now
		sent, err := s.Tick(ctx)
		err = errors.Join(owed, err)
		return []byte(fmt.Sprintf(`{"sent":%d}`, sent)), err
	}}, nil
}
