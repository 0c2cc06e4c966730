package main

import (
	"errors"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// drain is how long answers are awaited after the last request was due.
const drain = 2 * time.Second

// load sends the same request over many connections, from one thread and one epoll set.
//
// At a rate, each request is due at a time fixed beforehand, and its latency counts from then,
// whether or not a connection was free: a slow server cannot slow the questions down and so hide
// its own delay ("coordinated omission"). Without a rate, each answer is followed by the next request.
type load struct {
	recorder
	address  syscall.Sockaddr
	request  []byte
	epoll    int
	timer    int
	interval time.Duration // between two requests; 0: no rate
	seconds  time.Duration

	begun   time.Time
	next    time.Duration   // when the next request is due, since begun
	waiting []time.Duration // due requests that found no free connection
	idle    []*connection
	byFile  map[int32]*connection
}

func requests(arguments []string) (*summary, error) {
	flags := flag.NewFlagSet("requests", flag.ExitOnError)
	port := flags.Int("port", 0, "port on 127.0.0.1")
	path := flags.String("path", "/", "target of the requests")
	connections := flags.Int("connections", 64, "kept-alive connections")
	rate := flags.Float64("rate", 0, "requests a second; 0: as fast as they are answered")
	seconds := flags.Float64("seconds", 3, "for how long")
	body := flags.Int("body", 0, "bytes of each request's body; 0: GET")
	flags.Parse(arguments)

	debug.SetGCPercent(-1) // a run is short, and a collection would show in the latencies
	runtime.LockOSThread()
	l := &load{
		address: &syscall.SockaddrInet4{Port: *port, Addr: [4]byte{127, 0, 0, 1}},
		request: wireRequest(*port, *path, *body),
		seconds: time.Duration(*seconds * float64(time.Second)),
		byFile:  map[int32]*connection{},
	}
	if *rate > 0 {
		l.interval = time.Duration(float64(time.Second) / *rate)
	}
	if err := l.open(*connections); err != nil {
		return nil, err
	}
	return l.run()
}

func wireRequest(port int, path string, body int) []byte {
	method, framing := "GET", ""
	if body > 0 {
		method, framing = "POST", fmt.Sprintf("Content-Length: %d\r\n", body)
	}
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s\r\n", method, path, port, framing)
	return append([]byte(head), strings.Repeat("v", body)...)
}

// open makes the epoll set, the timer and the connections.
func (l *load) open(connections int) (err error) {
	if l.epoll, err = syscall.EpollCreate1(0); err != nil {
		return err
	}
	if l.timer, err = newTimer(); err != nil {
		return err
	}
	if err = l.watch(l.timer, syscall.EPOLLIN, syscall.EPOLL_CTL_ADD); err != nil {
		return err
	}
	for range connections {
		if err = l.connect(&connection{}); err != nil {
			return err
		}
	}
	return nil
}

// connect gives a connection a new socket and makes it idle.
func (l *load) connect(c *connection) error {
	if err := c.dial(l.address); err != nil {
		return err
	}
	l.byFile[int32(c.file)] = c
	l.idle = append(l.idle, c)
	return l.watch(c.file, syscall.EPOLLIN, syscall.EPOLL_CTL_ADD)
}

func (l *load) watch(file int, events uint32, operation int) error {
	return syscall.EpollCtl(l.epoll, operation, file, &syscall.EpollEvent{Events: events, Fd: int32(file)})
}

func (l *load) since() time.Duration { return time.Since(l.begun) }

func (l *load) run() (*summary, error) {
	l.begun = time.Now()
	if l.interval == 0 {
		for len(l.idle) > 0 {
			l.start(0)
		}
	}
	events := make([]syscall.EpollEvent, 256)
	for !l.over() {
		l.startDue()
		count, err := syscall.EpollWait(l.epoll, events, 100)
		if err != nil && err != syscall.EINTR {
			return nil, err
		}
		for _, event := range events[:max(count, 0)] {
			l.happened(event)
		}
	}
	l.giveUpRest()
	return l.summary(l.since()), nil
}

// over tells whether the run has ended: at a rate, when all are answered or have had their time.
func (l *load) over() bool {
	if l.since() < l.seconds {
		return false
	}
	if l.interval == 0 || l.since() > l.seconds+drain {
		return true
	}
	return len(l.idle) == len(l.byFile) && len(l.waiting) == 0
}

// giveUpRest counts what is unanswered at the end of a run at a rate.
func (l *load) giveUpRest() {
	if l.interval == 0 {
		return
	}
	for range len(l.byFile) - len(l.idle) + len(l.waiting) {
		l.failed(errors.New("not answered in time"))
	}
}

// startDue starts what is due, and sets the timer to what is due next.
func (l *load) startDue() {
	if l.interval == 0 || l.next >= l.seconds {
		return
	}
	for now := l.since(); l.next <= now && l.next < l.seconds; l.next += l.interval {
		l.start(l.next)
	}
	setTimer(l.timer, l.next-l.since())
}

// start sends a request, due at a time since begun, or lets it wait for a free connection.
func (l *load) start(due time.Duration) {
	if len(l.idle) == 0 {
		l.waiting = append(l.waiting, due)
		return
	}
	c := l.idle[len(l.idle)-1]
	l.idle = l.idle[:len(l.idle)-1]
	c.begin(due)
	l.proceed(c)
}

// happened deals with one event of the epoll set.
func (l *load) happened(event syscall.EpollEvent) {
	if int(event.Fd) == l.timer {
		readTimer(l.timer)
		return
	}
	c := l.byFile[event.Fd]
	if c == nil {
		return
	}
	if event.Events&syscall.EPOLLOUT != 0 {
		l.proceed(c)
	}
	if event.Events&^syscall.EPOLLOUT != 0 {
		l.receive(c)
	}
}

// proceed sends on, and asks to be told when the socket takes more.
func (l *load) proceed(c *connection) {
	complete, err := c.send(l.request)
	switch {
	case err != nil:
		l.broken(c, err)
	case !complete && !c.wantsOut:
		c.wantsOut = true
		l.watch(c.file, syscall.EPOLLIN|syscall.EPOLLOUT, syscall.EPOLL_CTL_MOD)
	case complete && c.wantsOut:
		c.wantsOut = false
		l.watch(c.file, syscall.EPOLLIN, syscall.EPOLL_CTL_MOD)
	}
}

func (l *load) receive(c *connection) {
	answered, err := c.receive()
	if err != nil {
		l.broken(c, err)
	} else if answered {
		l.complete(c)
	}
}

func (l *load) complete(c *connection) {
	if c.sent < len(l.request) {
		l.broken(c, errors.New("answered before the request was complete"))
		return
	}
	l.answered(l.since() - c.due)
	c.busy = false
	if c.answer.last {
		l.broken(c, nil)
		return
	}
	l.idle = append(l.idle, c)
	l.startNext()
}

// startNext gives a connection that has become free its next request.
func (l *load) startNext() {
	if l.interval == 0 {
		if l.since() < l.seconds {
			l.start(l.since())
		}
	} else if len(l.waiting) > 0 {
		due := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.start(due)
	}
}

// broken replaces a connection that ended; a request in its hands has failed.
func (l *load) broken(c *connection, cause error) {
	if c.busy {
		l.failed(cause)
	}
	l.forget(c)
	if err := l.connect(&connection{}); err != nil {
		l.failed(err)
		return
	}
	l.startNext()
}

func (l *load) forget(c *connection) {
	delete(l.byFile, int32(c.file))
	for i, other := range l.idle {
		if other == c {
			l.idle = append(l.idle[:i], l.idle[i+1:]...)
			break
		}
	}
	syscall.Close(c.file)
}
