package jobtree

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	// MaxLength is how many bytes Parse takes.
	MaxLength = 1 << 10
	// MaxNumber is the largest number of a child, and of continuations in a row.
	MaxNumber = 1<<31 - 1
)

// Path says where a node stands in the tree of its job. The zero value is the start of the job.
//
// Its elements are separated by dots: a child has its number, from 1 on, or k and 16 hexadecimal
// digits if it has a key. The tilde and a number behind an element say which continuation of that
// node it is: 4312~57.3 is the third child of the 57th continuation of the start's child 4312.
//
// Two paths of one node are equal (==).
type Path struct {
	text   string
	depth  int
	agains int
}

// Hash stands for the key of a child.
type Hash [8]byte

// HashOf returns the first 8 bytes of the key's SHA-256.
func HashOf(key string) Hash {
	sum := sha256.Sum256([]byte(key))
	return Hash(sum[:len(Hash{})])
}

// Keys returns hashes as a Report has them. A hash that is there twice is one key.
func Keys(hashes []Hash) []byte {
	sorted := slices.Clone(hashes)
	slices.SortFunc(sorted, func(a, b Hash) int { return slices.Compare(a[:], b[:]) })
	sorted = slices.Compact(sorted)
	keys := make([]byte, 0, len(sorted)*len(Hash{}))
	for _, h := range sorted {
		keys = append(keys, h[:]...)
	}
	return keys
}

// Parse reads what String has written. Every node has one text: numbers without zeros in front, and
// lower case.
func Parse(text string) (Path, error) {
	p := Path{text: text}
	if text == "" {
		return p, nil
	}
	if len(text) > MaxLength {
		return Path{}, fmt.Errorf("path %.40q... has %d bytes; the longest has %d", text, len(text), MaxLength)
	}
	for element := range strings.SplitSeq(text, ".") {
		p.depth++
		e, ok := parseElement(element)
		if !ok {
			return Path{}, fmt.Errorf("path %q: element %d is %q; want a number from 1 to %d, "+
				"or k and 16 hexadecimal digits, and at most one ~ with such a number behind it",
				text, p.depth, element, MaxNumber)
		}
		p.agains = e.agains
	}
	return p, nil
}

// IsStart says whether p is the start of the job, which is no message.
func (p Path) IsStart() bool { return p.text == "" }

// String returns the path as the header job-path has it. The start's is empty.
func (p Path) String() string { return p.text }

// Depth is 0 for the start, 1 for its children, and so on. Continuations are as deep as their node.
func (p Path) Depth() int { return p.depth }

// Agains says which continuation in a row p is; 0 is none.
func (p Path) Agains() int { return p.agains }

// Child returns the child with this number, which is at least 1 and at most MaxNumber.
func (p Path) Child(n int) Path { return p.down(strconv.Itoa(n)) }

// Keyed returns the child whose key has this hash.
func (p Path) Keyed(h Hash) Path { return p.down("k" + hex.EncodeToString(h[:])) }

func (p Path) down(element string) Path {
	if p.text != "" {
		element = p.text + "." + element
	}
	return Path{text: element, depth: p.depth + 1}
}

// Again returns the continuation of p. The start has none, and gets itself.
func (p Path) Again() Path {
	if p.IsStart() {
		return p
	}
	node := p.text
	if p.agains > 0 {
		node = node[:strings.LastIndexByte(node, '~')]
	}
	n := p.agains + 1
	return Path{text: node + "~" + strconv.Itoa(n), depth: p.depth, agains: n}
}

// element is one element of a Path.
type element struct {
	number int // 0 if it has a key
	key    Hash
	agains int
}

// elements returns the way from the start to p.
func (p Path) elements() []element {
	way := make([]element, 0, p.depth)
	if p.IsStart() {
		return way
	}
	for text := range strings.SplitSeq(p.text, ".") {
		e, _ := parseElement(text) // Parse has seen it
		way = append(way, e)
	}
	return way
}

func parseElement(text string) (element, bool) {
	var e element
	name, agains, continued := strings.Cut(text, "~")
	ok := true
	if continued {
		e.agains, ok = parseNumber(agains)
	}
	if !ok {
		return e, false
	}
	if digits, keyed := strings.CutPrefix(name, "k"); keyed {
		n, err := hex.Decode(e.key[:], []byte(digits[:min(len(digits), 16)]))
		return e, err == nil && n == len(e.key) && hex.EncodeToString(e.key[:]) == digits
	}
	e.number, ok = parseNumber(name)
	return e, ok
}

// parseNumber takes 1 to MaxNumber, as strconv.Itoa writes them.
func parseNumber(text string) (int, bool) {
	if text == "" || text[0] < '1' || text[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 32)
	return int(n), err == nil
}
