// Command goproxy is the reverse proxy of Go's standard library, as a benchmark's peer.
//
// It stands for what a Go programmer writes: httputil.ReverseProxy over the default transport,
// with as many idle connections kept per replica as the load has clients. The default of two
// costs twice the CPU.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"sync/atomic"
)

// configuration is the JSON file that the one argument names.
type configuration struct {
	Listen           string   // host:port
	Replicas         []string // host:port of each
	Routes           []string // path prefixes, all to the same replicas
	IdlePerHost      int      // idle connections kept per replica
	Certificate, Key string   // files in PEM; empty: no TLS
}

func main() {
	log.SetFlags(0)
	configured, err := read(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", configured.Listen)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: routes(configured), ErrorLog: log.New(io.Discard, "", 0)}
	if configured.Certificate != "" {
		log.Fatal(server.ServeTLS(listener, configured.Certificate, configured.Key))
	}
	log.Fatal(server.Serve(listener))
}

func read(path string) (configured configuration, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &configured)
	}
	return configured, err
}

func routes(configured configuration) http.Handler {
	mux, proxy := http.NewServeMux(), reverseProxy(configured)
	for _, prefix := range configured.Routes {
		mux.Handle(prefix, proxy)
	}
	return mux
}

func reverseProxy(configured configuration) *httputil.ReverseProxy {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxIdleConns = 0 // no limit for all replicas together
	transport.MaxIdleConnsPerHost = configured.IdlePerHost
	var turn atomic.Uint64
	return &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0),
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetXForwarded()
			request.Out.URL.Scheme = "http"
			request.Out.URL.Host = configured.Replicas[turn.Add(1)%uint64(len(configured.Replicas))]
		},
	}
}
