// The servers' common contract for Go's net/http: origin PORT ROOT.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const endless = 1 << 30

var (
	root    string
	movedTo = os.Getenv("MOVED_TO")
	cookies = strings.Split(os.Getenv("COOKIES"), "\n")
	next    atomic.Pointer[chan bool]
	sending atomic.Int64
)

func file(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		opened, err := os.Open(filepath.Join(root, name))
		if err != nil {
			panic(err)
		}
		defer opened.Close()
		if name == "hello" {
			w.Header().Set("ETag", `"v1"`)
		}
		if name == "gzip" {
			w.Header().Set("Content-Encoding", "gzip")
		}
		http.ServeContent(w, r, name, time.Time{}, opened)
	}
}

// pieces sends a body whose length nobody knows beforehand.
func pieces(w http.ResponseWriter, r *http.Request) {
	body, _ := os.ReadFile(filepath.Join(root, "hello"))
	w.Write(body[:100])
	w.(http.Flusher).Flush()
	w.Write(body[100:])
}

func untilClose(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Transfer-Encoding", "identity")
	pieces(w, r)
}

func upload(w http.ResponseWriter, r *http.Request) {
	sum := sha256.New()
	size, err := io.Copy(sum, r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%d %x", size, sum.Sum(nil))
}

func events(w http.ResponseWriter, r *http.Request) {
	steps := make(chan bool, 2)
	next.Store(&steps)
	w.Header().Set("Content-Type", "text/event-stream")
	for number := 1; number <= 3; number++ {
		fmt.Fprintf(w, "id: %d\ndata: event\n\n", number)
		w.(http.Flusher).Flush()
		if number < 3 {
			<-steps
		}
	}
}

func zeros(w http.ResponseWriter, r *http.Request) {
	sending.Add(1)
	defer sending.Add(-1)
	w.Header().Set("Content-Length", strconv.Itoa(endless))
	piece := make([]byte, 64*1024)
	for sent := 0; sent < endless; sent += len(piece) {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

// There is no ServeMux: it would clean paths that are to be seen as they came.
var served = map[string]http.HandlerFunc{
	"hello":       file("hello"),
	"gzip":        file("gzip"),
	"file":        file("file"),
	"chunked":     pieces,
	"until-close": untilClose,
	"upload":      upload,
	"events":      events,
	"endless":     zeros,
	"empty":       func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) },
	"next":        func(w http.ResponseWriter, r *http.Request) { *next.Load() <- true },
	"echo":        func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) },
	"sending":     func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, sending.Load()) },
	"port":        func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr[len("127.0.0.1:"):]) },
	"moved": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", movedTo)
		w.WriteHeader(http.StatusFound)
	},
	"cookies": func(w http.ResponseWriter, r *http.Request) {
		for _, cookie := range cookies {
			w.Header().Add("Set-Cookie", cookie)
		}
	},
}

func main() {
	root = os.Args[2]
	serve := func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
		if handler, ok := served[name]; ok {
			handler(w, r)
		} else {
			http.NotFound(w, r)
		}
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(serve)))
}
