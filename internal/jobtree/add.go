package jobtree

// visit is a node on the way to the one that is reported.
type visit struct {
	family *family
	number int
	node   *node
}

// place is where the reported node stands.
type place struct {
	node     *node
	base     *node // the node whose continuation it is, or itself
	page     int   // which continuation it is; 0 is none
	promised bool  // by a report of its parent, or of the continuation before it
}

// Add adds a report. An error says what is wrong with it; then nothing was added.
func (t *Tree) Add(r Report) error {
	said, err := read(r)
	if err != nil {
		return err
	}
	at := t.enter(said.path)
	t.done(at, said)
	t.promiseChildren(at.node, said)
	t.promiseKeys(at.node, said)
	t.promiseAgain(at, said)
	t.leave()
	return nil
}

// enter goes from the start to a node, and makes what is not known yet. It opens what is closed.
func (t *Tree) enter(path Path) place {
	t.trail = t.trail[:0]
	at := place{node: &t.root, base: &t.root}
	for _, e := range path.elements() {
		parent := at.node
		if e.number > 0 {
			at.base = t.visit(&parent.kids, e.number)
			at.promised = e.number <= parent.n
		} else {
			keyed := parent.withKeys()
			number := keyed.number(e.key)
			at.base = t.visit(&keyed.family, number)
			_, at.promised = keyed.promised.get(number)
		}
		at.node, at.page = at.base, e.agains
		if at.page > 0 {
			at.node = t.visit(at.base.withPages(), at.page)
			_, at.promised = t.page(at.base, at.page-1)
		}
	}
	return at
}

func (t *Tree) visit(f *family, number int) *node {
	n := t.shapes.take(f, number)
	t.trail = append(t.trail, visit{f, number, n})
	return n
}

// leave puts back what enter has taken, from the lowest to the highest, and closes what can be.
func (t *Tree) leave() {
	for i := len(t.trail) - 1; i >= 0; i-- {
		t.shapes.put(t.trail[i].family, t.trail[i].number, t.trail[i].node)
		t.trail[i] = visit{}
	}
}

// page says whether a continuation of base is reported, and has another one. Page 0 is base.
func (t *Tree) page(base *node, page int) (reported, again bool) {
	if page == 0 {
		return base.reported, base.again
	}
	if base.pages == nil {
		return false, false
	}
	return t.shapes.reported(base.pages, page)
}

func (t *Tree) done(at place, said report) {
	if at.node.reported {
		return
	}
	at.node.reported = true
	if said.path.IsStart() {
		return
	}
	t.stage(said.stage, said.path.Depth()).Done++
	if at.promised {
		t.missing--
	}
}

// promiseChildren counts in Emitted also those with keys, and in missing only the others.
func (t *Tree) promiseChildren(n *node, said report) {
	if len(said.out) == 0 {
		return
	}
	larger := merged(n.out, said.out)
	before := map[string]int{}
	for _, c := range n.out {
		before[c.queue] = c.n
	}
	for _, c := range larger {
		t.stage(c.queue, said.path.Depth()+1).Emitted += c.n - before[c.queue]
	}
	n.out = larger
	if said.n > n.n {
		t.missing += said.n - n.n - n.kids.count(n.n+1, said.n)
		n.n = said.n
	}
}

func (t *Tree) promiseKeys(n *node, said report) {
	for _, key := range said.keys {
		keyed := n.withKeys()
		number := keyed.number(key)
		if _, ok := keyed.promised.get(number); ok {
			continue
		}
		keyed.promised.put(number, leaf)
		if reported, _ := t.shapes.reported(&keyed.family, number); !reported {
			t.missing++
		}
	}
}

func (t *Tree) promiseAgain(at place, said report) {
	if !said.again || at.node.again {
		return
	}
	at.node.again = true
	t.stage(said.stage, said.path.Depth()).Emitted++
	if reported, _ := t.page(at.base, at.page+1); !reported {
		t.missing++
	}
}
