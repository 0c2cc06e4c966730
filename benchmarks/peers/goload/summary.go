package main

import (
	"sort"
	"time"
)

// summary is what a load prints.
type summary struct {
	Requests int     `json:"requests"` // answered in full, status 200
	Errors   int     `json:"errors"`   // anything else
	Cause    string  `json:"cause"`    // of the first error
	Seconds  float64 `json:"seconds"`  // from the first request to the last answer
	P50      float64 `json:"p50_us"`   // latencies, microseconds
	P99      float64 `json:"p99_us"`
}

// recorder collects latencies and errors.
type recorder struct {
	latencies []time.Duration
	errors    int
	cause     string
}

func (r *recorder) answered(latency time.Duration) { r.latencies = append(r.latencies, latency) }

func (r *recorder) failed(cause error) {
	if r.errors == 0 {
		r.cause = cause.Error()
	}
	r.errors++
}

// merge takes over what another recorder collected.
func (r *recorder) merge(other *recorder) {
	r.latencies = append(r.latencies, other.latencies...)
	if r.errors == 0 {
		r.cause = other.cause
	}
	r.errors += other.errors
}

func (r *recorder) summary(elapsed time.Duration) *summary {
	sort.Slice(r.latencies, func(i, j int) bool { return r.latencies[i] < r.latencies[j] })
	return &summary{
		Requests: len(r.latencies),
		Errors:   r.errors,
		Cause:    r.cause,
		Seconds:  elapsed.Seconds(),
		P50:      r.quantile(0.50),
		P99:      r.quantile(0.99),
	}
}

// quantile gives a latency in microseconds by the nearest rank; the latencies are sorted.
func (r *recorder) quantile(q float64) float64 {
	if len(r.latencies) == 0 {
		return 0
	}
	rank := int(q * float64(len(r.latencies)))
	return float64(r.latencies[min(rank, len(r.latencies)-1)]) / float64(time.Microsecond)
}
