package console

import "slices"

// links are the forms for this consumer that the viewer may send.
func (a *answer) links(v view, m *muster, d *consumerData) (all []doLink) {
	if a.console.cfg.ReadOnly || !a.user.may(Move, d.Queue) {
		return nil
	}
	form := func(do orderKind) string {
		var parameters []string
		for _, name := range orderNames(m, d.Queue) {
			parameters = append(parameters, "name", name)
		}
		return v.many([]string{"fleet", "order"}, append(parameters, "do", string(do))...)
	}
	if len(d.Members) > 0 {
		if len(d.Orders) > 0 {
			all = append(all, doLink{"Resume in all processes", form(toResume)})
		}
		all = append(all, doLink{"Pause in all processes", form(toPause)}, doLink{"Limit in all processes", form(toLimit)})
	}
	if d.Here != nil {
		do, text := toPause, "Pause in this process alone"
		if d.Here.Paused {
			do, text = toResume, "Resume in this process"
		}
		all = append(all, doLink{text, v.link([]string{"c", d.Queue, "order"}, "do", string(do))})
	}
	return all
}

// orderNames are the names by which orders for the consumers of a queue are given.
func orderNames(m *muster, queue string) (all []string) {
	if m == nil {
		return nil
	}
	for _, p := range m.processes {
		for _, c := range p.Consumers {
			name := c.Name
			if c.Partitions == queue {
				name = queue
			}
			if isOf(queue, c) && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}
