package lambdaemu

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/millrace/millrace/shared/clock"
)

var errClosed = errors.New("the emulator is closing")

// pool is the instances of one function. Events wait in order of arrival when
// all instances are busy and no more may be started.
type pool struct {
	e      *Emulator
	f      Function
	binary string

	mu        sync.Mutex
	instances map[string]*instance
	idle      []*instance // the most recently used last, so that the rest can go
	waiting   []chan *instance
	closed    bool
}

func newPool(e *Emulator, f Function, binary string) *pool {
	return &pool{e: e, f: f, binary: binary, instances: map[string]*instance{}}
}

// acquire returns an instance that serves nobody else.
func (p *pool) acquire(ctx context.Context) (*instance, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	if n := len(p.idle); n > 0 {
		inst := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		inst.thaw()
		return inst, nil
	}
	if len(p.instances) < p.e.opts.MaxInstances {
		defer p.mu.Unlock()
		return p.start()
	}
	ch := make(chan *instance, 1)
	p.waiting = append(p.waiting, ch)
	p.mu.Unlock()
	select {
	case inst := <-ch:
		if inst == nil {
			return nil, errClosed
		}
		return inst, nil
	case <-ctx.Done():
		p.mu.Lock()
		p.waiting = slices.DeleteFunc(p.waiting, func(c chan *instance) bool { return c == ch })
		p.mu.Unlock()
		select {
		case inst := <-ch: // handed over at the same moment
			if inst != nil {
				p.release(inst)
			}
		default:
		}
		return nil, ctx.Err()
	}
}

// start adds an instance; p.mu is held.
func (p *pool) start() (*instance, error) {
	inst, err := startInstance(p)
	if err != nil {
		return nil, err
	}
	p.instances[inst.id] = inst
	p.e.goRun(func() {
		<-inst.exited
		p.remove(inst)
	})
	return inst, nil
}

// release takes an instance back when it has asked for its next event.
func (p *pool) release(inst *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.instances[inst.id] == nil {
		return // it has exited
	}
	if len(p.waiting) > 0 {
		ch := p.waiting[0]
		p.waiting = p.waiting[1:]
		ch <- inst
		return
	}
	inst.idleSince = p.e.opts.Clock.Now()
	p.idle = append(p.idle, inst)
	if !p.closed { // a frozen process would not see the signal to end
		inst.freeze()
	}
}

// remove forgets an instance that has exited and starts another one if events wait.
func (p *pool) remove(inst *instance) {
	p.e.api.forget(inst.id)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.instances, inst.id)
	p.idle = slices.DeleteFunc(p.idle, func(i *instance) bool { return i == inst })
	if len(p.waiting) == 0 || p.closed {
		return
	}
	next, err := p.start()
	if err != nil {
		p.e.opts.Logger.Error("cannot start function", "function", p.f.Folder, "error", err)
		return
	}
	ch := p.waiting[0]
	p.waiting = p.waiting[1:]
	ch <- next
}

// reap stops instances that have been idle for the idle time: scale to zero.
func (p *pool) reap(ctx context.Context) {
	limit := p.e.opts.IdleTimeout
	for clock.Sleep(ctx, p.e.opts.Clock, limit/2) == nil {
		now := p.e.opts.Clock.Now()
		p.mu.Lock()
		var old []*instance
		p.idle = slices.DeleteFunc(p.idle, func(i *instance) bool {
			if now.Sub(i.idleSince) < limit {
				return false
			}
			old = append(old, i)
			return true
		})
		p.mu.Unlock()
		for _, inst := range old {
			inst.stop()
		}
	}
}

func (p *pool) list() []InstanceInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []InstanceInfo
	for _, inst := range p.instances {
		out = append(out, InstanceInfo{
			ID: inst.id, Function: p.f.Folder, PID: inst.cmd.Process.Pid,
			Busy: !slices.Contains(p.idle, inst),
		})
	}
	return out
}

// close stops every instance and waits for the processes to end.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	var all []*instance
	for _, inst := range p.instances {
		all = append(all, inst)
	}
	for _, ch := range p.waiting {
		ch <- nil
	}
	p.waiting, p.idle = nil, nil
	p.mu.Unlock()
	var wg sync.WaitGroup
	for _, inst := range all {
		wg.Go(inst.stop)
	}
	wg.Wait()
}
