package codecs

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
)

// banking77 is a file of examples/import. Its licence and its notice are beside it.
const banking77 = "../../examples/import/testdata/banking77/messages.csv"

// conversation is a text of a customer: a message of the usual size.
type conversation struct {
	ID    string `json:"id"`
	Topic string `json:"topic"`
	Text  string `json:"text"`
}

// page is a part of the list of all conversations.
type page struct {
	Number int      `json:"number"`
	IDs    []string `json:"ids"`
	Next   int      `json:"next"`
	Total  int      `json:"total"`
}

const pageSize = 100

// documents holds JSON documents by kind.
type documents struct {
	conversations [][]byte // one each
	pages         [][]byte // of ids
	histories     [][]byte // arrays of conversations, a page each
}

func readDocuments() (documents, error) {
	var d documents
	f, err := os.Open(banking77)
	if err != nil {
		return d, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return d, err
	}
	var all []conversation
	for i, row := range rows[1:] {
		all = append(all, conversation{ID: fmt.Sprintf("c-%04d", i+1), Text: row[0], Topic: row[1]})
	}
	for from := 0; from < len(all); from += pageSize {
		part := all[from:min(from+pageSize, len(all))]
		p := page{Number: from/pageSize + 1, Next: from/pageSize + 2, Total: len(all)}
		for _, c := range part {
			p.IDs = append(p.IDs, c.ID)
			if err := add(&d.conversations, c); err != nil {
				return d, err
			}
		}
		if err := add(&d.pages, p); err != nil {
			return d, err
		}
		if err := add(&d.histories, part); err != nil {
			return d, err
		}
	}
	return d, nil
}

func add(to *[][]byte, v any) error {
	text, err := json.Marshal(v)
	*to = append(*to, text)
	return err
}
