// Command goload is the load of our benchmarks where wrk does not do: requests at a fixed rate,
// large bodies, WebSocket messages, and the replica that takes and gives them.
//
//	goload requests   HTTP requests, at a rate or as fast as they are answered
//	goload websocket  messages that come back as they were
//	goload replica    a server for all of that
//
// The first two print one JSON object (summary) and end; the third runs until it is ended.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

var commands = map[string]func([]string) (*summary, error){
	"requests":  requests,
	"websocket": websocket,
	"replica":   replica,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: goload requests|websocket|replica [options]")
		os.Exit(2)
	}
	found, err := commands[os.Args[1]](os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(found)
}
