package turn

import (
	"encoding/json"
	"testing"
)

func TestABodyIsJSONOfItsSize(t *testing.T) {
	for _, size := range []int{64, 256, 4096, 262144} {
		body := Body(size)
		if len(body) != size {
			t.Errorf("size %d: %d bytes", size, len(body))
		}
		var d Document
		if err := json.Unmarshal(body, &d); err != nil || d.ID == "" {
			t.Errorf("size %d: %+v, %v", size, d, err)
		}
	}
}
