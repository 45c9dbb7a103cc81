package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Position is how far the export has come: the broker has confirmed all records before it.
type Position struct {
	Records int
	Bytes   int64 // of the old system's file
}

// positionFile is beside the old system's file.
func positionFile(o Options) string { return o.Source + ".position" }

// readPosition returns the zero Position before the first export.
func readPosition(name string) (p Position, err error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return p, fmt.Errorf("the position of the export: %w", err)
	}
	return p, nil
}

// write replaces the file. A process that is killed leaves the old or the new one.
func (p Position) write(name string) error {
	return writeWhole(name, func(w io.Writer) error { return json.NewEncoder(w).Encode(p) })
}

// writeWhole makes a file, or replaces it, when all of it is on the disk.
func writeWhole(name string, write func(io.Writer) error) error {
	f, err := os.Create(name + ".new")
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
