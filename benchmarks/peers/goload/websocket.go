package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// message is what each connection sends again and again: one text frame's payload (RFC 6455 section 5).
var message = bytes.Repeat([]byte("v"), 100)

const handshake = "GET /echo HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// websocket sends messages over many connections, each the next when the last came back.
func websocket(arguments []string) (*summary, error) {
	flags := flag.NewFlagSet("websocket", flag.ExitOnError)
	port := flags.Int("port", 0, "port on 127.0.0.1")
	connections := flags.Int("connections", 64, "connections, each with one message under way")
	seconds := flags.Float64("seconds", 3, "for how long")
	flags.Parse(arguments)

	begun := time.Now()
	deadline := begun.Add(time.Duration(*seconds * float64(time.Second)))
	address := fmt.Sprintf("127.0.0.1:%d", *port)
	recorders := make([]recorder, *connections)
	var all sync.WaitGroup
	for i := range recorders {
		all.Add(1)
		go func(r *recorder) {
			defer all.Done()
			if err := echoUntil(deadline, address, r); err != nil {
				r.failed(err)
			}
		}(&recorders[i])
	}
	all.Wait()
	return together(recorders).summary(time.Since(begun)), nil
}

func together(recorders []recorder) *recorder {
	var total recorder
	for i := range recorders {
		total.merge(&recorders[i])
	}
	return &total
}

// echoUntil opens one WebSocket and uses it until the deadline.
func echoUntil(deadline time.Time, address string, r *recorder) error {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer connection.Close()
	connection.SetDeadline(deadline.Add(drain))
	reader := bufio.NewReader(connection)
	if err := upgrade(connection, reader, address); err != nil {
		return err
	}
	frame, reply := maskedFrame(message), make([]byte, 2+len(message))
	for time.Now().Before(deadline) {
		sent := time.Now()
		if _, err := connection.Write(frame); err != nil {
			return err
		}
		if _, err := io.ReadFull(reader, reply); err != nil {
			return err
		}
		if !bytes.Equal(reply[2:], message) {
			return fmt.Errorf("%q came back", reply)
		}
		r.answered(time.Since(sent))
	}
	return nil
}

// upgrade asks for a WebSocket and reads the answer's head.
func upgrade(connection net.Conn, reader *bufio.Reader, address string) error {
	if _, err := fmt.Fprintf(connection, handshake, address); err != nil {
		return err
	}
	status, err := reader.ReadString('\n')
	if err != nil {
		return err
	}
	if len(status) < 12 || status[9:12] != "101" {
		return fmt.Errorf("answered %q to an upgrade", status)
	}
	for line := status; line != "\r\n"; {
		if line, err = reader.ReadString('\n'); err != nil {
			return err
		}
	}
	return nil
}

// maskedFrame is a text frame of a client, which must mask it; at most 125 bytes.
func maskedFrame(payload []byte) []byte {
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	frame := append([]byte{0x81, 0x80 | byte(len(payload))}, mask[:]...)
	for i, b := range payload {
		frame = append(frame, b^mask[i%4])
	}
	return frame
}
