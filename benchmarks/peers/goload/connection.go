package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"syscall"
	"time"
)

// received is where every connection reads to; bodies are counted and dropped.
var received = make([]byte, 256<<10)

var endOfHead = []byte("\r\n\r\n")

// connection is one socket with at most one request under way.
type connection struct {
	file     int
	busy     bool
	due      time.Duration // when the request under way was due
	sent     int           // bytes of it that are on their way
	wantsOut bool          // whether EPOLLOUT is asked for
	answer   answer
}

// answer is as much of a response as has arrived.
type answer struct {
	head []byte // until it is complete
	left int    // bytes of the body to come; -1: the head is not complete
	last bool   // "Connection: close"
}

// dial connects, and makes the socket non-blocking.
func (c *connection) dial(address syscall.Sockaddr) (err error) {
	if c.file, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	if err = syscall.Connect(c.file, address); err != nil {
		syscall.Close(c.file)
		return err
	}
	syscall.SetsockoptInt(c.file, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	return syscall.SetNonblock(c.file, true)
}

func (c *connection) begin(due time.Duration) {
	c.busy, c.due, c.sent = true, due, 0
	c.answer = answer{head: c.answer.head[:0], left: -1}
}

// send writes what the socket takes, and tells whether the request is complete.
func (c *connection) send(request []byte) (complete bool, err error) {
	for c.busy && c.sent < len(request) {
		count, err := syscall.Write(c.file, request[c.sent:])
		if err == syscall.EAGAIN {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		c.sent += count
	}
	return true, nil
}

// receive reads what is there, and tells whether the answer is complete.
func (c *connection) receive() (answered bool, err error) {
	for {
		count, err := syscall.Read(c.file, received)
		switch {
		case err == syscall.EAGAIN:
			return false, nil
		case err != nil:
			return false, err
		case count == 0:
			return false, io.ErrUnexpectedEOF
		case !c.busy:
			return false, errors.New("an answer to no request")
		}
		if answered, err := c.answer.add(received[:count]); answered || err != nil {
			return answered, err
		}
		if count < len(received) {
			return false, nil
		}
	}
}

// add takes the next bytes of a response, and tells whether it is complete.
func (a *answer) add(data []byte) (complete bool, err error) {
	if a.left >= 0 {
		return a.count(len(data))
	}
	a.head = append(a.head, data...)
	end := bytes.Index(a.head, endOfHead)
	if end < 0 {
		return false, nil
	}
	body := len(a.head) - end - len(endOfHead)
	if err = a.read(a.head[:end]); err != nil {
		return false, err
	}
	return a.count(body)
}

// count takes bytes of the body.
func (a *answer) count(bytes int) (complete bool, err error) {
	if a.left -= bytes; a.left < 0 {
		return false, errors.New("more bytes than Content-Length")
	}
	return a.left == 0, nil
}

// read takes status, length and persistence from a complete head.
func (a *answer) read(head []byte) error {
	status, fields, _ := bytes.Cut(head, []byte("\r\n"))
	if len(status) < 12 || string(status[9:12]) != "200" {
		return fmt.Errorf("answered %q", status)
	}
	fields = append([]byte("\r\n"), bytes.ToLower(fields)...)
	a.last = field(fields, "connection") == "close"
	length, err := strconv.Atoi(field(fields, "content-length"))
	if err != nil {
		return errors.New("an answer without Content-Length")
	}
	a.left = length
	return nil
}

// field gives the value of a header field, from lines in lower case that each begin with CRLF.
func field(fields []byte, name string) string {
	_, after, _ := bytes.Cut(fields, []byte("\r\n"+name+":"))
	value, _, _ := bytes.Cut(after, []byte("\r\n"))
	return string(bytes.TrimSpace(value))
}
