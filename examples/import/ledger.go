package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"sync"

	"github.com/bunnicula-go/bunnicula/examples/import/api"
)

// Ledger records what was published and imported so far. A real import would use its database. The
// Ledger is a file with a line of JSON for each fact. A fact is written before its job is acked, so
// that it outlives the process, even a killed one.
type Ledger struct {
	// New says that there was no file.
	New bool

	mu    sync.Mutex
	file  *os.File
	books Books
}

// Books are what a Ledger holds at one moment, by account.
type Books map[string]Book

// Book is what was published and imported of one account.
type Book struct {
	Total     int          // conversations that the API says there are; 0 before it was asked
	Whole     bool         // the last page was published
	Pages     map[int]bool // that were published
	Published map[string]bool
	Imported  map[string]bool
}

// line is one fact. One of its fields is set.
type line struct {
	Source       *Source           `json:"source,omitempty"` // the first line
	Page         *api.Page         `json:"page,omitempty"`
	Conversation *api.Conversation `json:"conversation,omitempty"`
}

// Source is what is imported. A ledger has one Source.
type Source struct {
	Conversations int    `json:"conversations"`
	Small         int    `json:"small"`
	Seed          uint64 `json:"seed"`
	Backoff       string `json:"backoff"` // names the retry queues
}

// Source is what the import of these flags imports.
func (o Options) Source() Source {
	return Source{o.Conversations, o.Small, o.Seed, (*delays)(&o.Backoff).String()}
}

func (s Source) String() string {
	return fmt.Sprintf("-n %d -small %d -seed %d -backoff %s", s.Conversations, s.Small, s.Seed, s.Backoff)
}

// OpenLedger opens or makes the file, and reads what it holds. It refuses a ledger of another
// Source.
func OpenLedger(path string, source Source) (*Ledger, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	l := &Ledger{file: file, books: Books{}}
	if err := l.read(source); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	return l, nil
}

func (l *Ledger) read(source Source) error {
	r := bufio.NewReader(l.file)
	end := int64(0) // of the last whole line: a killed process may have written a part of one
	for {
		text, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		var fact line
		if err := json.Unmarshal(text, &fact); err != nil {
			return fmt.Errorf("not one of an import (%w), use another -state", err)
		}
		if end == 0 && fact.Source == nil {
			return errors.New("not one of an import, use another -state")
		}
		if fact.Source != nil && *fact.Source != source {
			return fmt.Errorf("it is of another import: go on with %s, or forget it with -fresh", fact.Source)
		}
		l.add(fact)
		end += int64(len(text))
	}
	if err := l.file.Truncate(end); err != nil {
		return err
	}
	if _, err := l.file.Seek(end, io.SeekStart); err != nil {
		return err
	}
	if end > 0 {
		return nil
	}
	l.New = true
	return l.write(line{Source: &source})
}

func (l *Ledger) add(fact line) {
	if p := fact.Page; p != nil {
		b := l.book(p.Account)
		b.Pages[p.Number] = true
		b.Whole = b.Whole || p.Next == 0
		b.Total = p.Total
		for _, id := range p.IDs {
			b.Published[id] = true
		}
		l.books[p.Account] = b
	}
	if c := fact.Conversation; c != nil {
		b := l.book(c.Account)
		b.Imported[c.ID] = true
		l.books[c.Account] = b
	}
}

// book returns the book of an account, or a new one.
func (l *Ledger) book(account string) Book {
	if b, ok := l.books[account]; ok {
		return b
	}
	return Book{Pages: map[int]bool{}, Published: map[string]bool{}, Imported: map[string]bool{}}
}

// write appends a fact. It does not call fsync: a crash of the machine may lose the last facts.
func (l *Ledger) write(fact line) error {
	text, err := json.Marshal(fact)
	if err == nil {
		_, err = l.file.Write(append(bytes.TrimSpace(text), '\n'))
	}
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	l.add(fact)
	return nil
}

// AddPage records that the jobs of a page are published.
func (l *Ledger) AddPage(p api.Page) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.write(line{Page: &p})
}

// HasPage says whether AddPage was called for that page.
func (l *Ledger) HasPage(account string, number int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.books[account].Pages[number]
}

// Import records a conversation, and says whether it is new.
func (l *Ledger) Import(c api.Conversation) (added bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.books[c.Account].Imported[c.ID] {
		return false, nil
	}
	return true, l.write(line{Conversation: &c})
}

// Imported says whether Import has recorded this conversation.
func (l *Ledger) Imported(account, id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.books[account].Imported[id]
}

// Books copies what the ledger holds.
func (l *Ledger) Books() Books {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := Books{}
	for account, b := range l.books {
		b.Pages, b.Published, b.Imported = maps.Clone(b.Pages), maps.Clone(b.Published), maps.Clone(b.Imported)
		all[account] = b
	}
	return all
}

// Close closes the file.
func (l *Ledger) Close() error { return l.file.Close() }

// Remove closes the file and deletes it.
func (l *Ledger) Remove() error { return errors.Join(l.file.Close(), os.Remove(l.file.Name())) }
