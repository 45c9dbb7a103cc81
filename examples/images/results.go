package main

import (
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
)

// Results is the folder of the results. A result's name is the id of its request.
type Results string

// partial is what the names of files begin with that are not whole.
const partial = ".partial-"

// Save writes a result in one step: whoever sees it sees all of it. A second Save of the same id
// replaces the first, by the same bytes.
func (r Results) Save(id string, grey []byte) error {
	f, err := os.CreateTemp(string(r), partial+"*")
	if err != nil {
		return err
	}
	_, err = f.Write(grey)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(string(r), id))
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the disk is full, for example
	}
	return err
}

// named says whether an id can be the name of a file. Whoever may publish chooses the id, so it
// could also lead out of the folder.
func named(id string) error {
	if !filepath.IsLocal(id) || strings.ContainsAny(id, `/\:`) || strings.HasPrefix(id, ".") {
		return fmt.Errorf("message id %q: want the name of a file", id)
	}
	return nil
}

// Has says whether the result of a request is there.
func (r Results) Has(id string) bool {
	_, err := os.Stat(filepath.Join(string(r), id))
	return err == nil
}

// IDs are the ids of all results. A worker that was killed while it wrote has left a partial file,
// which does not count.
func (r Results) IDs() ([]string, error) {
	files, err := os.ReadDir(string(r))
	var ids []string
	for _, f := range files {
		if f.Type().IsRegular() && !strings.HasPrefix(f.Name(), partial) {
			ids = append(ids, f.Name())
		}
	}
	return ids, err
}

// unlike is how much the grey of a pixel may differ on average from that of the original, of 255.
// What is saved as JPEG, twice at that, is not quite the same.
const unlike = 4

// Check compares a result with the picture that was sent, pixel by pixel: it has the same size, is
// grey, and shows the same.
func (r Results) Check(id, contentType string, original []byte) error {
	file, err := os.ReadFile(filepath.Join(string(r), id))
	if err != nil {
		return err
	}
	got, err := decode(contentType, file)
	if err != nil {
		return err
	}
	m, err := decode(contentType, original)
	if err != nil {
		return err
	}
	return compare(got, greyOf(m))
}

func compare(got image.Image, want *image.Gray) error {
	b := got.Bounds()
	if b.Size() != want.Rect.Size() {
		return fmt.Errorf("%s, want %s", b.Size(), want.Rect.Size())
	}
	sum := 0
	for y := range b.Dy() {
		for x := range b.Dx() {
			red, green, blue, _ := got.At(b.Min.X+x, b.Min.Y+y).RGBA()
			if red != green || green != blue {
				return fmt.Errorf("the pixel at %d,%d is not grey", x, y)
			}
			off := int(red>>8) - int(want.GrayAt(x, y).Y)
			sum += max(off, -off)
		}
	}
	if pixels := b.Dx() * b.Dy(); sum > unlike*pixels {
		return fmt.Errorf("the pixels are off by %d on average", sum/pixels)
	}
	return nil
}
