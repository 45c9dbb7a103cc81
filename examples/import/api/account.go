package api

// Account is a customer of the help desk.
type Account struct {
	Name          string
	Conversations []Conversation
}

// Conversation is what somebody wrote to an account.
type Conversation struct {
	Account string `json:"account"`
	ID      string `json:"id"` // no other conversation has it, of any account
	Topic   string `json:"topic"`
	Text    string `json:"text"`
}

// Page is a part of the list of all conversations of an account.
type Page struct {
	Account string   `json:"account"`
	Number  int      `json:"number"` // from 1
	IDs     []string `json:"ids"`
	Next    int      `json:"next"`  // the next page's number, 0 after the last
	Total   int      `json:"total"` // conversations on all pages
}

// PageSize is how many conversations are on a page of the list.
const PageSize = 100

// account is an Account as the Server keeps it.
type account struct {
	Account

	byID  map[string]Conversation
	limit *limit
}

func keep(a Account, rate int) *account {
	kept := &account{Account: a, byID: map[string]Conversation{}, limit: newLimit(rate)}
	for _, c := range a.Conversations {
		kept.byID[c.ID] = c
	}
	return kept
}

// page returns a page of the list. An account without conversations has one page.
func (a *account) page(number int) (page Page, found bool) {
	from := (number - 1) * PageSize
	if from < 0 || from > len(a.Conversations) {
		return Page{}, false
	}
	to := min(from+PageSize, len(a.Conversations))
	page = Page{Account: a.Name, Number: number, IDs: []string{}, Total: len(a.Conversations)}
	for _, c := range a.Conversations[from:to] {
		page.IDs = append(page.IDs, c.ID)
	}
	if to < len(a.Conversations) {
		page.Next = number + 1
	}
	return page, true
}
