package main

import (
	"syscall"
	"time"
	"unsafe"
)

const clockMonotonic = 1

// newTimer opens a timerfd(2). Go's own timers are up to a millisecond late when nothing else runs.
func newTimer() (int, error) {
	file, _, errno := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, clockMonotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(file), nil
}

// setTimer lets the timer be readable after a while; at once where that is no positive time.
func setTimer(file int, after time.Duration) {
	setting := struct{ interval, value syscall.Timespec }{
		value: syscall.NsecToTimespec(int64(max(after, time.Nanosecond))),
	}
	syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, uintptr(file), 0, uintptr(unsafe.Pointer(&setting)), 0, 0, 0)
}

func readTimer(file int) {
	var expirations [8]byte
	syscall.Read(file, expirations[:])
}
