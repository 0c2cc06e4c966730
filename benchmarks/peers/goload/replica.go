package main

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// websocketGUID is the one of RFC 6455 section 1.3.
const websocketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// replica serves bodies and WebSockets on each of the given addresses, until it is ended.
//
//	/bytes/N  N bytes      /sink  reads the request's body, then answers      /echo  a WebSocket
func replica(arguments []string) (*summary, error) {
	flags := flag.NewFlagSet("replica", flag.ExitOnError)
	listen := flags.String("listen", "", "addresses, host:port, with commas between them")
	flags.Parse(arguments)

	mux := http.NewServeMux()
	mux.HandleFunc("/", sink)
	mux.HandleFunc("/bytes/", serveBytes)
	mux.HandleFunc("/echo", echo)
	ended := make(chan error)
	for _, address := range strings.Split(*listen, ",") {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return nil, err
		}
		go func() { ended <- http.Serve(listener, mux) }()
	}
	return nil, <-ended
}

// sink answers when it has read the whole body.
func sink(w http.ResponseWriter, r *http.Request) {
	count, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "received %d bytes\n", count)
}

var page = bytes.Repeat([]byte("v"), 256<<10)

func serveBytes(w http.ResponseWriter, r *http.Request) {
	count, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/bytes/"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(count))
	for ; count > 0; count -= len(page) {
		if _, err := w.Write(page[:min(count, len(page))]); err != nil {
			return
		}
	}
}

// echo upgrades, and sends each frame back unmasked.
func echo(w http.ResponseWriter, r *http.Request) {
	connection, stream, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer connection.Close()
	digest := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + websocketGUID))
	fmt.Fprintf(stream, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(digest[:]))
	for stream.Flush() == nil {
		if err := returnFrame(stream); err != nil {
			return
		}
	}
}

// returnFrame reads a masked frame of at most 125 bytes and writes it back unmasked.
func returnFrame(stream *bufio.ReadWriter) error {
	var head [6]byte // two bytes and the mask
	if _, err := io.ReadFull(stream, head[:]); err != nil {
		return err
	}
	payload := make([]byte, head[1]&0x7f)
	if _, err := io.ReadFull(stream, payload); err != nil {
		return err
	}
	for i := range payload {
		payload[i] ^= head[2+i%4]
	}
	_, err := stream.Write(append([]byte{head[0], byte(len(payload))}, payload...))
	return err
}
