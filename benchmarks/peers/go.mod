module vestri/benchmarks

go 1.22
