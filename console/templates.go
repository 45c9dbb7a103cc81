package console

import (
	"embed"
	"html/template"
	"strings"
)

//go:embed pages static
var files embed.FS

// pages are the templates by the name of a page. Each has the parts "layout" and "main".
var pages = func() map[string]*template.Template {
	entries, err := files.ReadDir("pages")
	if err != nil {
		panic(err)
	}
	layout := template.Must(template.ParseFS(files, "pages/layout.html"))
	all := map[string]*template.Template{}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".html"); ok && name != "layout" {
			all[name] = template.Must(template.Must(layout.Clone()).ParseFS(files, "pages/"+e.Name()))
		}
	}
	return all
}()
