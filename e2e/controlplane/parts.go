package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	// pause between two looks at something that is starting.
	pause = 100 * time.Millisecond
	// grace is what a part has to end by itself.
	grace = 10 * time.Second
)

// parts are the processes of a control plane, in the order in which they were started.
type parts struct {
	folder  string
	running []*part
	once    sync.Once
}

// part is one process, whose output is a log in the run's folder.
type part struct {
	name    string
	log     string
	command *exec.Cmd
	done    chan struct{}
	err     error
}

// start runs this very program as another part.
func (p *parts) start(name string, arguments ...string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	started := &part{name: name, log: filepath.Join(p.folder, name+".log"), done: make(chan struct{})}
	log, err := os.Create(started.log)
	if err != nil {
		return fmt.Errorf("write the log of %s: %w", name, err)
	}
	defer log.Close()
	started.command = exec.Command(self, append([]string{name}, arguments...)...)
	started.command.Stdout, started.command.Stderr = log, log
	// A process group of its own: Ctrl-C is ours to pass on, in order. It never outlives us.
	started.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	begun := make(chan error)
	go func() {
		// The kernel sends Pdeathsig when the thread that started the process ends, so that thread stays.
		runtime.LockOSThread()
		begun <- started.command.Start()
		if started.command.Process != nil {
			started.err = started.command.Wait()
		}
		close(started.done)
	}()
	if err := <-begun; err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	p.running = append(p.running, started)
	return nil
}

// until waits for a part to be ready. One that ended, or took too long, is told with the last line of its log.
func (p *parts) until(deadline context.Context, name string, ready func(context.Context) bool) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for !ready(deadline) {
		select {
		case ended := <-p.ended():
			return ended.problem()
		case <-deadline.Done():
			if deadline.Err() == context.Canceled {
				return fmt.Errorf("told to end before %s was ready", name)
			}
			return fmt.Errorf("%s is not ready after %d s; its log ends with: %s", name, int(patience.Seconds()), p.lastLine(name))
		case <-tick.C:
		}
	}
	return nil
}

// ended tells of the first part that ends.
func (p *parts) ended() <-chan *part {
	first := make(chan *part, len(p.running))
	for _, one := range p.running {
		go func() {
			<-one.done
			first <- one
		}()
	}
	return first
}

// problem is how a part ended that should not have.
func (p *part) problem() error {
	return fmt.Errorf("%s ended by itself (%v); its log ends with: %s", p.name, p.err, lastLine(p.log))
}

func (p *parts) lastLine(name string) string {
	return lastLine(filepath.Join(p.folder, name+".log"))
}

func lastLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Sprintf("(it cannot be read: %v)", err)
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(lines[len(lines)-1])
}

// end ends all, the last started first, and waits until they are gone.
func (p *parts) end() {
	p.once.Do(func() {
		for number := len(p.running) - 1; number >= 0; number-- {
			one := p.running[number]
			_ = one.command.Process.Signal(syscall.SIGTERM)
			select {
			case <-one.done:
			case <-time.After(grace):
				_ = one.command.Process.Kill()
				<-one.done
			}
		}
	})
}

// withParent is cancelled when the process that started us is gone. It is asked for, since the kernel's own signal comes when
// the parent's *thread* ends, and parents with many threads start processes on any of them.
func withParent(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	go func() {
		for os.Getppid() == parent && ctx.Err() == nil {
			time.Sleep(pause)
		}
		cancel()
	}()
	return ctx, cancel
}
