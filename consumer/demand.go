package consumer

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

var errNoConnection = errors.New("there is no connection, add connection.Module and a connection.Config to the app")

func isNoConnection(err error) bool { return errors.Is(err, errNoConnection) }

// checkConstructor returns whether a constructor for Provide returns several Specs.
func checkConstructor(f any) (several bool, err error) {
	spec, specs, fail := reflect.TypeFor[Spec](), reflect.TypeFor[[]Spec](), reflect.TypeFor[error]()
	t := reflect.TypeOf(f)
	switch {
	case t == spec:
		return false, fmt.Errorf("it is a Spec (%q), want a function that returns it", f.(Spec).Queue)
	case t == nil || t.Kind() != reflect.Func:
		return false, fmt.Errorf("it is a %v, want a function that returns a consumer.Spec or a []consumer.Spec", t)
	case reflect.ValueOf(f).IsNil():
		return false, errors.New("the function is nil")
	case t.NumOut() == 1, t.NumOut() == 2 && t.Out(1) == fail:
		if t.Out(0) == spec || t.Out(0) == specs {
			return t.Out(0) == specs, nil
		}
	}
	return false, fmt.Errorf("%s is a %v, which does not return a consumer.Spec or a []consumer.Spec, and perhaps an error", nameOf(f), t)
}

func nameOf(f any) string { return runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name() }

// demand is a value that a constructor cannot do without.
type demand struct {
	constructor string
	what        reflect.Type
	name        string // of a named value, and else empty
}

// unmet says what an app lacks for a demand. A nil err says that it lacks nothing.
type unmet struct{ err error }

// demandsOf returns the demands of a constructor: its parameters, and the fields of those that are
// parameter structs of fx.
func demandsOf(constructor any) []demand {
	var all []demand
	t := reflect.TypeOf(constructor)
	for i := range t.NumIn() {
		all = append(all, demandsOfType(nameOf(constructor), t.In(i))...)
	}
	return all
}

func demandsOfType(constructor string, t reflect.Type) (all []demand) {
	if t.Kind() != reflect.Struct || !isParameters(t) {
		return []demand{{constructor: constructor, what: t}}
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Tag.Get("optional") == "true" || f.Tag.Get("group") != "" || isMark(f) {
			continue
		}
		if isParameters(f.Type) {
			all = append(all, demandsOfType(constructor, f.Type)...)
			continue
		}
		all = append(all, demand{constructor: constructor, what: f.Type, name: f.Tag.Get("name")})
	}
	return all
}

// isParameters returns whether t is a struct that embeds fx.In, which is an alias of dig.In.
func isParameters(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		if isMark(t.Field(i)) {
			return true
		}
	}
	return false
}

func isMark(f reflect.StructField) bool {
	return f.Anonymous && f.Type.Name() == "In" && strings.HasPrefix(f.Type.PkgPath(), "go.uber.org/")
}

// check returns what the app lacks.
func (d demand) check(made bool) unmet {
	if made {
		return unmet{}
	}
	asks := fmt.Sprintf("consumer.Provide: %s asks for a %v", d.constructor, d.what)
	module, _, _ := strings.Cut(strings.TrimPrefix(d.what.String(), "*"), ".")
	switch {
	case d.name != "":
		return unmet{fmt.Errorf("%s of the name %q, and there is none, add %s.Named to the app%s", asks, d.name, module, orYours)}
	case d.what.String() == "*connection.Connection":
		return unmet{fmt.Errorf("%s, and %w", asks, errNoConnection)}
	}
	return unmet{fmt.Errorf("%s, and there is none, add %s.Module to the app%s", asks, module, orYours)}
}

// orYours is for an app that makes the value itself: to fx a constructor that lacks something is
// none, and it does not tell what is lacking.
const orYours = ", or what a constructor of yours lacks that makes it"

// hint says what makes a value that is missing.
type hint struct{ value, add string }

var (
	missing = regexp.MustCompile(`missing types?: (.*)`)
	known   = []hint{
		{"connection.Config", "fx.Supply(connection.Config{...})"},
		{"*connection.Connection", "connection.Module"},
		{"publisher.Publisher", "publisher.Module"},
		{"*publisher.Client", "publisher.Module"},
	}
)

// hints returns what is missing of ours according to an error of fx. fx has a type for such an
// error, and does not export it.
func hints(err error) (found []hint) {
	list := missing.FindStringSubmatch(err.Error())
	if list == nil {
		return nil
	}
	for _, one := range strings.Split(list[1], "; ") {
		value, _, _ := strings.Cut(one, " ")
		if i := slices.IndexFunc(known, func(h hint) bool { return h.value == value }); i >= 0 {
			found = append(found, known[i])
		}
	}
	return found
}
