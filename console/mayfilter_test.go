package console

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

func TestWhoMayReadNoMessageCannotGuessWhatIsInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("", Read)
		m := oneOf("id-4711", "boom")
		m.Body, m.BodySize = []byte(`{"iban":"NL91"}`), 15
		m.Headers = map[string]any{"tenant": "acme"}
		c := made(t, Config{IndexKeys: []string{"header.tenant", "body.iban"}, Identify: func(*http.Request) (User, error) { return user, nil }}, m)
		for _, right := range []Right{Read, See} {
			user = owner("", right)
			for _, term := range []string{"header.tenant%3Dacme", "body.iban%3DNL91"} {
				list, found := read(t, c, "/q/orders-error?filter="+term), read(t, c, "/search?filter="+term)
				reads := right == Read
				if strings.Contains(list, "1 to 1 of <b>1</b>") != reads || strings.Contains(list, "which you may not read") == reads {
					t.Errorf("%s, %s: the list is\n%s", right, term, list)
				}
				if strings.Contains(found, "<b>1 message matches</b>") != reads || strings.Contains(found, "Not searched: 1 queue") == reads {
					t.Errorf("%s, %s: the search is\n%s", right, term, found)
				}
			}
			if page := read(t, c, "/q/orders-error?show=list") + read(t, c, "/search?filter=reason%3Derror"); strings.Contains(page, "id-4711") != (right == Read) {
				t.Errorf("%s: the id is, or is not, in\n%s", right, page)
			}
		}
	})
}

func TestAnOperationTellsItsFilterToReadersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Change)
		c := changer(t, &user, oneOf("id-4711", "boom"))
		_, form := planOf(t, c, "/q/orders-error/plan?kind=redrive&filter=id%3Did-4711")
		link := send(c, "/q/orders-error/redrive", form).Header.Get("Location")
		synctest.Wait()
		for _, right := range []Right{Read, See} {
			user = owner("eve", right)
			if page := read(t, c, "/ops") + read(t, c, link); strings.Contains(page, "id-4711") != (right == Read) {
				t.Errorf("%s: the filter is, or is not, in\n%s", right, page)
			}
		}
	})
}
