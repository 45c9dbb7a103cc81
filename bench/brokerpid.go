package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// findBroker returns the process at an address, if it is an Erlang on this machine whose files this
// user may read. Otherwise it returns 0, and the CPU of the broker is not measured.
func findBroker(addr net.Addr) int {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() {
		return 0
	}
	var sockets []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err == nil {
			sockets = append(sockets, listening(text, tcp.Port)...)
		}
	}
	if len(sockets) == 0 {
		return 0
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !slices.Contains(sockets, target) {
			continue
		}
		pid := strings.Split(link, "/")[2]
		if name, _ := os.ReadFile("/proc/" + pid + "/comm"); !bytes.HasPrefix(name, []byte("beam")) {
			continue
		}
		n, _ := strconv.Atoi(pid)
		return n
	}
	return 0
}

// listening finds the sockets in proc_net_tcp(5) that listen on a port. It returns the names that
// their descriptors have.
func listening(table []byte, port int) []string {
	const listen = "0A"
	var sockets []string
	for line := range bytes.Lines(table) {
		f := bytes.Fields(line)
		if len(f) < 10 || string(f[3]) != listen {
			continue
		}
		if _, at, found := bytes.Cut(f[1], []byte(":")); found && string(at) == fmt.Sprintf("%04X", port) {
			sockets = append(sockets, "socket:["+string(f[9])+"]")
		}
	}
	return sockets
}
