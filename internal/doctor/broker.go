package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// release parses the first two numbers of a version: 4.0.5 is 4, 0.
func release(version string) (major, minor int, ok bool) {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return 0, 0, false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return major, minor, err1 == nil && err2 == nil
}

// version returns findings about the broker's release.
func version(f Facts) []Finding {
	subject := f.Peer.Product + " " + f.Peer.Version
	major, minor, ok := release(f.Peer.Version)
	since := func(a, b int) bool { return major > a || major == a && minor >= b }
	note := func(problem, why, do, see string) Finding {
		return Finding{Note, "broker-version", subject, problem, why, do, see}
	}
	var found []Finding
	switch {
	case !ok || f.Peer.Product != "RabbitMQ":
		return []Finding{{Warning, "broker-version", subject, "it is not a release of RabbitMQ that is known here",
			"Bunnicula is tested with RabbitMQ 3.10, 4.0 and 4.3.", "Try everything with it before you rely on it.", pageReleases}}
	case !since(3, 10):
		return []Finding{{Serious, "broker-version", subject, "it is older than RabbitMQ 3.10",
			"Quorum queues dead-letter at least once, and have a message TTL, from 3.10 on. Before that retries can be lost.",
			"Upgrade.", pageAtLeast}}
	}
	if !since(4, 0) {
		found = append(found,
			note("quorum queues without a delivery limit have none", "A message that kills its consumer is then delivered for ever. Queues that Bunnicula declares have a limit of 100; x-delivery-limit -1 means zero here, and parks at the first return.",
				"Leave the limit as it is declared, and never set -1.", pageLimit),
			note("messages of up to 128 MiB are taken", "A consumer cannot refuse one: the broker has sent it by then.",
				"Set max_message_size = 16777216 in rabbitmq.conf.", pageSecurity),
		)
	}
	if since(4, 0) && !since(4, 3) {
		found = append(found,
			note("quorum queues without a delivery limit have one of 20", "Messages that are returned so often, also by consumers that only took them ahead, are dropped if there is no dead-letter exchange.",
				"Leave x-delivery-limit 100 and the dead-letter arguments as they are declared.", pageLimit),
		)
	}
	if since(4, 0) {
		found = append(found, note("messages above 16 MiB are refused", "A program that publishes larger ones has its channel closed (406).",
			"Keep publisher.Config.MaxBody at or below max_message_size.", pageSecurity))
	}
	if since(4, 3) {
		found = append(found, note("a user needs a permission on a queue to look at it", "Counts of other queues are hidden from this user. Up to 4.3.0 it takes the permission to configure.",
			"Use the management API for a user who only watches.", pageSecurity))
	}
	found = append(found, note("a retry that is due while the broker starts can come three minutes late", "Its retry queue is up before what it goes back to. The broker tries again after dead_letter_worker_publisher_confirm_timeout, 180 s unless set, which nobody can ask for. Nothing is lost.",
		"Have [{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 5000}]}]. in the advanced.config of each node.", pageLate))
	if since(4, 4) {
		found = append(found, Finding{Warning, "broker-version", subject, "it is newer than what Bunnicula is tested with",
			"Bunnicula is tested with RabbitMQ 3.10, 4.0 and 4.3.", "Try everything with it before you rely on it.", pageReleases})
	}
	return found
}

// encryption returns findings about TLS, the user and the heartbeat of this connection.
func encryption(f Facts) []Finding {
	var found []Finding
	if !f.Peer.TLS && !loopback(f.Peer.Addr) {
		found = append(found, Finding{Warning, "no-tls", "connection to " + f.Peer.Addr, "it is not encrypted",
			"Password and messages can be read, and changed, by whoever is on the way.", "Use amqps://, and AMQP_CA_FILE if the authority is your own.", pageTLS})
	}
	if f.Peer.User == "guest" && !loopback(f.Peer.Addr) {
		found = append(found, Finding{Warning, "guest", "user guest", "it logs in from another machine",
			"Its password is known to everybody.", "Delete it, and give each role a user of its own.", pageSecurity})
	}
	if h := f.Peer.Heartbeat; h <= 0 || h > time.Minute {
		problem := fmt.Sprintf("its heartbeat is %s", h)
		if h <= 0 {
			problem = "it has no heartbeat"
		}
		found = append(found, Finding{Warning, "heartbeat", "connection to " + f.Peer.Addr, problem,
			"A peer that has gone without a word is noticed after one and a half heartbeats; until then its messages are held.",
			"Leave it at 10 s: no heartbeat in the URL, and AMQP_HEARTBEAT unset.", pageHeartbeats})
	}
	return found
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// nodes returns findings about the cluster's nodes, as the management API shows them.
func nodes(f Facts) []Finding {
	var found []Finding
	for _, n := range f.Nodes {
		subject := "node " + n.Name
		switch {
		case !n.Running:
			found = append(found, Finding{Serious, "node-down", subject, "it does not run",
				"Quorum queues go on while most of their members do; one more, and they may not.", "Start it.", pageReplicas})
		case n.Memory || n.Disk:
			problem := "it has a memory alarm"
			if n.Disk {
				problem = "it has a disk alarm"
			}
			found = append(found, Finding{Serious, "alarm", subject, problem,
				"The broker takes no messages, copies that are to be retried or parked included. Consuming goes on.",
				"Free disk or memory, or find the queue that grows.", pageAlarms})
		case len(n.Partitions) > 0:
			found = append(found, Finding{Serious, "partition", subject, "it cannot see " + strings.Join(n.Partitions, ", "),
				"The sides of a network partition each go on as if they were all.", "Mend the network, then see RabbitMQ's page.", pagePartitions})
		}
	}
	return found
}
