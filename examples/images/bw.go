package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
)

// maxPixels is how many pixels a picture may have. Its header says how many it has, so a picture
// of a few bytes that would take gigabytes is refused before it is decoded.
const maxPixels = 4_000_000

// These are the errors of blackAndWhite that no retry mends.
var (
	errNoPicture = errors.New("not a picture that can be read")
	errTooLarge  = errors.New("too many pixels")
)

// blackAndWhite makes a grey picture of a PNG or a JPEG, in the same format. What is transparent
// becomes white.
func blackAndWhite(contentType string, picture []byte) (grey []byte, size image.Point, err error) {
	m, err := decode(contentType, picture)
	if err != nil {
		return nil, image.Point{}, err
	}
	g := greyOf(m)
	var out bytes.Buffer
	if contentType == "image/png" {
		err = png.Encode(&out, g)
	} else {
		err = jpeg.Encode(&out, g, nil)
	}
	return out.Bytes(), g.Rect.Size(), err
}

// greyOf makes a grey picture of any. What is transparent becomes white.
func greyOf(m image.Image) *image.Gray {
	b := m.Bounds()
	g := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			red, green, blue, alpha := m.At(b.Min.X+x, b.Min.Y+y).RGBA() // of 0xffff, and alpha is in the colours
			light := (299*red+587*green+114*blue+500)/1000 + 0xffff - alpha
			g.Pix[y*g.Stride+x] = uint8(light >> 8) //nolint:gosec // light is at most 0xffff
		}
	}
	return g
}

// decode decodes a picture unless its header says that it is too large.
func decode(contentType string, picture []byte) (image.Image, error) {
	config, decode := png.DecodeConfig, png.Decode
	switch contentType {
	case "image/png":
	case "image/jpeg":
		config, decode = jpeg.DecodeConfig, jpeg.Decode
	default:
		return nil, fmt.Errorf("%w: content type %q, want image/png or image/jpeg", errNoPicture, contentType)
	}
	head, err := config(bytes.NewReader(picture))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoPicture, err)
	}
	if head.Width > maxPixels || head.Height > maxPixels/max(head.Width, 1) {
		return nil, fmt.Errorf("%w: %d x %d, at most %d together", errTooLarge, head.Width, head.Height, maxPixels)
	}
	m, err := decode(bytes.NewReader(picture))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoPicture, err)
	}
	return m, nil
}
