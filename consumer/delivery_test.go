package consumer

import (
	"testing"
	"unsafe"
)

// Go keeps the pointers of an object of up to 512 bytes in a bitmap beside it. A larger one has a
// header, is allocated by a slower path, and costs each message more.
func TestAMessageInMemoryTakesASmallObject(t *testing.T) {
	if size := unsafe.Sizeof(received{}); size > 512 {
		t.Errorf("%d bytes", size)
	}
}
