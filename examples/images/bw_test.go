package main

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"runtime"
	"testing"
)

func TestEachPictureBecomesGreyAndKeepsItsFormatAndSize(t *testing.T) {
	files, err := pictures.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		r, results := picture(f.Name()), Results(t.TempDir())
		original, format, err := image.Decode(bytes.NewReader(r.Body))
		if err != nil || format != r.Format {
			t.Fatalf("%s is %q: %v", f.Name(), format, err)
		}
		grey, size, err := blackAndWhite(r.ContentType(), r.Body)
		if err != nil || size != original.Bounds().Size() {
			t.Errorf("%s: %s, want %s: %v", f.Name(), size, original.Bounds().Size(), err)
		}
		got, format, err := image.Decode(bytes.NewReader(grey))
		if err != nil || format != r.Format {
			t.Fatalf("the result of %s is %q: %v", f.Name(), format, err)
		}
		if _, isGrey := got.(*image.Gray); !isGrey {
			t.Errorf("the result of %s is a %T", f.Name(), got)
		}
		if err := results.Save("one", grey); err != nil {
			t.Fatal(err)
		}
		if err := results.Check("one", r.ContentType(), r.Body); err != nil {
			t.Errorf("%s: %v", f.Name(), err)
		}
	}
}

func TestWhatIsTransparentBecomesWhite(t *testing.T) {
	m := image.NewNRGBA(image.Rect(5, 5, 8, 6)) // bounds need not begin at 0
	m.Set(5, 5, color.NRGBA{A: 255})
	m.Set(6, 5, color.NRGBA{R: 255, A: 255})
	g := greyOf(m)
	if got, want := g.Pix, []byte{0, 76, 255}; !bytes.Equal(got, want) || g.Rect != image.Rect(0, 0, 3, 1) {
		t.Errorf("pixels %d of %s, want %d", got, g.Rect, want)
	}
}

func TestWhatIsNoPictureIsRefused(t *testing.T) {
	cat, coffee := picture("cat.png"), picture("coffee.jpg")
	var animated bytes.Buffer
	if err := gif.Encode(&animated, image.NewGray(image.Rect(0, 0, 1, 1)), nil); err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(cat.Body)
	flipped[len(flipped)/2] ^= 1
	for name, test := range map[string]struct {
		contentType string
		body        []byte
		want        error
	}{
		"an empty body":          {"image/png", nil, errNoPicture},
		"a text":                 {"image/jpeg", []byte("Hello"), errNoPicture},
		"a PNG that is cut off":  {"image/png", cat.Body[:len(cat.Body)/2], errNoPicture},
		"a JPEG that is cut off": {"image/jpeg", coffee.Body[:len(coffee.Body)/2], errNoPicture},
		"a bit that has changed": {"image/png", flipped, errNoPicture},
		"a PNG that says JPEG":   {"image/jpeg", cat.Body, errNoPicture},
		"a JPEG that says PNG":   {"image/png", coffee.Body, errNoPicture},
		"a GIF":                  {"image/gif", animated.Bytes(), errNoPicture},
		"no content type":        {"", cat.Body, errNoPicture},
		"a bomb of pixels":       {"image/png", pixelBomb(), errTooLarge},
		"a pixel too many":       {"image/png", emptyPNG(4_000_001, 1), errTooLarge},
		"a row too many":         {"image/png", emptyPNG(2000, 2001), errTooLarge},
		"as many as are allowed": {"image/png", emptyPNG(2000, 2000), errNoPicture}, // it has none of them
		"many in a JPEG":         {"image/jpeg", enlarged(coffee.Body), errTooLarge},
	} {
		grey, _, err := blackAndWhite(test.contentType, test.body)
		if !errors.Is(err, test.want) || grey != nil {
			t.Errorf("%s: %d bytes, %v, want %v", name, len(grey), err, test.want)
		}
	}
}

// enlarged returns a JPEG that says it has 65,535 times 65,535 pixels.
func enlarged(jpeg []byte) []byte {
	big := bytes.Clone(jpeg)
	at := bytes.Index(big, []byte{0xff, 0xc0}) // the header of a frame: marker, length, bits, height, width
	copy(big[at+5:], []byte{0xff, 0xff, 0xff, 0xff})
	return big
}

// A decoder allocates the whole picture, which would be 1.6 GB.
func TestABombOfPixelsIsNotDecoded(t *testing.T) {
	bomb := pixelBomb()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, _ = blackAndWhite("image/png", bomb)
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	if allocated > 1<<20 {
		t.Errorf("%d bytes were allocated for it", allocated)
	}
}

func TestAResultThatIsNotThePictureInGreyIsFound(t *testing.T) {
	cat := picture("cat.png")
	m, err := decode(cat.ContentType(), cat.Body)
	if err != nil {
		t.Fatal(err)
	}
	grey := greyOf(m)
	pink := image.NewNRGBA(grey.Rect)
	black := image.NewGray(grey.Rect)
	for y := range grey.Rect.Dy() {
		for x := range grey.Rect.Dx() {
			pink.Set(x, y, grey.At(x, y))
		}
	}
	pink.Set(3, 4, color.NRGBA{R: 200, G: 100, B: 100, A: 255})
	for name, wrong := range map[string]image.Image{
		"one pixel is not grey": pink,
		"it is black":           black,
		"a row is missing":      grey.SubImage(image.Rect(0, 1, grey.Rect.Dx(), grey.Rect.Dy())),
		"it is the original":    m,
	} {
		var b bytes.Buffer
		if err := png.Encode(&b, wrong); err != nil {
			t.Fatal(err)
		}
		results := Results(t.TempDir())
		if err := results.Save("one", b.Bytes()); err != nil {
			t.Fatal(err)
		}
		if results.Check("one", cat.ContentType(), cat.Body) == nil {
			t.Errorf("%s: it passes", name)
		}
	}
}

func TestAnIDThatLeadsOutOfTheFolderIsNoName(t *testing.T) {
	for _, id := range []string{"", ".", "..", "../one", "/one", "a/b", `a\b`, "c:one", ".partial-1", "."} {
		if named(id) == nil {
			t.Errorf("%q can be a name", id)
		}
	}
	if err := named("one-0001.png"); err != nil {
		t.Error(err)
	}
}

func TestAFileThatIsNotWholeIsNoResult(t *testing.T) {
	results := Results(t.TempDir())
	if err := results.Save("one", []byte("picture")); err != nil {
		t.Fatal(err)
	}
	if err := results.Save(partial+"two", []byte("pict")); err != nil {
		t.Fatal(err)
	}
	if ids, err := results.IDs(); err != nil || len(ids) != 1 || ids[0] != "one" {
		t.Errorf("results %q: %v", ids, err)
	}
	if err := Results("/does/not/exist").Save("one", nil); err == nil {
		t.Error("it was saved in a folder that is not there")
	}
}
