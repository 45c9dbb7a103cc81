//go:build unix

package faults_test

import "time"

// clusterScenarios end the nodes of a cluster, one at a time. A classic queue is on one node, and
// there is no promise for it while that node is away.
var clusterScenarios = []scenario{
	{
		name: "cluster-node-killed", on: trio, types: quorumOnly, recovery: 15 * time.Second, settings: soonAgain,
		breaks: "of a cluster of three the node with the queue's leader is killed (SIGKILL): first everybody is connected to it, then to another one. The broker tries dead letters again after 4 s",
		run: func(s *stage) {
			s.workers(2)
			for _, node := range s.cluster.Nodes {
				node.Settle()
			}
			s.stream(150, usual)
			s.traffic(time.Second)

			leader := s.leader()
			s.moveAll(leader)
			s.without(leader, leader.Kill)

			leader = s.leader()
			s.moveAll(s.other(leader))
			s.without(leader, leader.Kill)
			s.traffic(time.Second)
		},
	},
	{
		name: "cluster-rolling-restart", on: trio, types: quorumOnly, recovery: 15 * time.Second, settings: soonAgain,
		breaks: "each node of a cluster of three is stopped in order and started again, one after the other, as in an upgrade",
		run: func(s *stage) {
			s.workers(2)
			s.stream(150, usual)
			for _, node := range s.cluster.Nodes {
				s.traffic(time.Second)
				s.without(node, node.Stop)
			}
			s.traffic(time.Second)
		},
	},
}
