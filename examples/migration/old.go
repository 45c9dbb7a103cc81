package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"time"
)

// makeOld makes the old system's file, unless it is there. Of a hundred customers some ten have a
// date with dots, and one has none.
func makeOld(o Options) error {
	if _, err := os.Stat(o.Source); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return writeWhole(o.Source, func(w io.Writer) error {
		out := csv.NewWriter(w)
		chance := rand.New(rand.NewPCG(o.Seed, 0)) //nolint:gosec // the same file for the same seed
		for id := 1; id <= o.Records; id++ {
			// what cannot be written is the error of Flush
			_ = out.Write([]string{
				strconv.Itoa(id), fmt.Sprintf("Customer %d", id), fmt.Sprintf("customer-%d@example.com", id), oldDate(chance),
			})
		}
		out.Flush()
		return out.Error()
	})
}

func oldDate(chance *rand.Rand) string {
	day := time.Date(1930+chance.IntN(70), time.January, 1+chance.IntN(365), 0, 0, 0, 0, time.UTC)
	switch p := chance.IntN(100); {
	case p < 1:
		return "00.00.0000"
	case p < 11:
		return day.Format(dotted)
	}
	return day.Format(time.DateOnly)
}

// Old reads the old system's file. One goroutine uses it.
type Old struct {
	file  *os.File
	csv   *csv.Reader
	start int64 // where csv began in the file
}

// openOld opens the file at a position, which is the beginning of a record.
func openOld(name string, at int64) (*Old, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		_ = f.Close()
		return nil, err
	}
	in := csv.NewReader(f)
	in.FieldsPerRecord = 4
	return &Old{f, in, at}, nil
}

// Close closes the file.
func (s *Old) Close() { _ = s.file.Close() } // it was only read

// Next returns the next records, at most so many, and where the one behind them begins. There are
// none at the end of the file.
func (s *Old) Next(most int) (some []Customer, end int64, err error) {
	for len(some) < most {
		row, err := s.csv.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		id, err := strconv.Atoi(row[0])
		if err != nil {
			return nil, 0, fmt.Errorf("a record without a number: %w", err)
		}
		some = append(some, Customer{id, row[1], row[2], row[3]})
	}
	return some, s.start + s.csv.InputOffset(), nil
}

// readOld reads the whole file.
func readOld(name string) ([]Customer, error) {
	s, err := openOld(name, 0)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	all, _, err := s.Next(10_000_000)
	return all, err
}
