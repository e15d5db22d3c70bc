package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// The parts of an OpenAPI 3.1 document that the page shows.
type (
	apiDocument struct {
		Info struct {
			Title       string `json:"title"`
			Summary     string `json:"summary"`
			Description string `json:"description"`
			Version     string `json:"version"`
		} `json:"info"`
		Tags []struct {
			Name        string `json:"name"`
			Description string `json:"description"`
		} `json:"tags"`
		Paths      map[string]map[string]apiOperation `json:"paths"`
		Components struct {
			Schemas    map[string]apiSchema    `json:"schemas"`
			Parameters map[string]apiParameter `json:"parameters"`
			Responses  map[string]apiResponse  `json:"responses"`
		} `json:"components"`
	}
	apiOperation struct {
		ID          string                 `json:"operationId"`
		Summary     string                 `json:"summary"`
		Description string                 `json:"description"`
		Tags        []string               `json:"tags"`
		Parameters  []apiParameter         `json:"parameters"`
		Body        *apiBody               `json:"requestBody"`
		Responses   map[string]apiResponse `json:"responses"`
		Security    []json.RawMessage      `json:"security"`
	}
	apiParameter struct {
		Ref         string    `json:"$ref"`
		Name        string    `json:"name"`
		In          string    `json:"in"`
		Description string    `json:"description"`
		Required    bool      `json:"required"`
		Schema      apiSchema `json:"schema"`
	}
	apiBody struct {
		Content map[string]apiContent `json:"content"`
	}
	apiResponse struct {
		Ref         string                `json:"$ref"`
		Description string                `json:"description"`
		Content     map[string]apiContent `json:"content"`
	}
	apiContent struct {
		Schema  apiSchema       `json:"schema"`
		Example json.RawMessage `json:"example"`
	}
	apiSchema struct {
		Ref         string               `json:"$ref"`
		Type        string               `json:"type"`
		Description string               `json:"description"`
		Enum        []string             `json:"enum"`
		Default     any                  `json:"default"`
		Items       *apiSchema           `json:"items"`
		Properties  map[string]apiSchema `json:"properties"`
		Required    []string             `json:"required"`
	}
)

// An apiPage is what the page of the REST API shows.
type apiPage struct {
	Title, Summary string
	Description    []string
	Groups         []apiGroup
	Schemas        []schemaView
}

// An apiGroup is the operations of one tag.
type apiGroup struct {
	Name, Description string
	Operations        []operationView
}

type operationView struct {
	ID, Method, Path, Summary string
	Description               []string
	Writes                    bool
	Parameters                []fieldView
	Body                      *contentView
	Responses                 []responseView
}

// A fieldView is a parameter, or a property of an object.
type fieldView struct {
	Name, In, Description string
	Required              bool
	Type                  typeView
}

// A typeView is the type of a value in words: Before, then a link to a
// schema if there is one.
type typeView struct{ Before, Schema string }

type contentView struct {
	Type    typeView
	Example string
}

type responseView struct {
	Code, Description string
	Content           *contentView
}

type schemaView struct {
	Name, Description string
	Type              typeView
	Fields            []fieldView
}

// showAPI is the page of the REST API.
func (s *site) showAPI(*http.Request) (view, error) {
	return view{page: "openapi", Title: "REST API", Content: s.api}, nil
}

// newAPIPage reads an OpenAPI document.
func newAPIPage(document []byte) (apiPage, error) {
	var d apiDocument
	if err := json.Unmarshal(document, &d); err != nil {
		return apiPage{}, err
	}
	page := apiPage{Title: d.Info.Title, Summary: d.Info.Summary, Description: paragraphs(d.Info.Description)}
	for _, tag := range d.Tags {
		group := apiGroup{Name: tag.Name, Description: tag.Description}
		for _, path := range sortedKeys(d.Paths) {
			for _, method := range []string{"get", "post", "put", "delete"} {
				operation, ok := d.Paths[path][method]
				if !ok || !slices.Contains(operation.Tags, tag.Name) {
					continue
				}
				shown, err := d.operation(method, path, operation)
				if err != nil {
					return apiPage{}, err
				}
				group.Operations = append(group.Operations, shown)
			}
		}
		page.Groups = append(page.Groups, group)
	}
	for _, name := range sortedKeys(d.Components.Schemas) {
		schema := d.Components.Schemas[name]
		page.Schemas = append(page.Schemas, schemaView{name, schema.Description, typeOf(schema), fieldsOf(schema)})
	}
	return page, nil
}

func (d apiDocument) operation(method, path string, o apiOperation) (operationView, error) {
	shown := operationView{
		ID: o.ID, Method: method, Path: path, Summary: o.Summary, Description: paragraphs(o.Description), Writes: len(o.Security) > 0,
	}
	for _, parameter := range o.Parameters {
		if name, ok := strings.CutPrefix(parameter.Ref, "#/components/parameters/"); ok {
			if parameter, ok = d.Components.Parameters[name]; !ok {
				return operationView{}, fmt.Errorf("%s %s: no parameter %s", method, path, name)
			}
		}
		shown.Parameters = append(shown.Parameters, fieldView{parameter.Name, parameter.In, parameter.Description, parameter.Required, typeOf(parameter.Schema)})
	}
	if o.Body != nil {
		shown.Body = contentOf(o.Body.Content)
	}
	for _, code := range sortedKeys(o.Responses) {
		response := o.Responses[code]
		if name, ok := strings.CutPrefix(response.Ref, "#/components/responses/"); ok {
			if response, ok = d.Components.Responses[name]; !ok {
				return operationView{}, fmt.Errorf("%s %s: no response %s", method, path, name)
			}
			response.Content = nil // errors are all alike: the introduction says how
		}
		shown.Responses = append(shown.Responses, responseView{code, response.Description, contentOf(response.Content)})
	}
	return shown, nil
}

// contentOf shows the JSON of a body, nil if it has none.
func contentOf(content map[string]apiContent) *contentView {
	body, ok := content["application/json"]
	if !ok {
		return nil
	}
	shown := &contentView{Type: typeOf(body.Schema)}
	if body.Example != nil {
		shown.Example, _ = pretty(body.Example, maxDetails)
	}
	return shown
}

func typeOf(s apiSchema) typeView {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return typeView{Schema: name}
	}
	t := typeView{Before: cmp.Or(s.Type, "any JSON")}
	if s.Items != nil {
		t = typeOf(*s.Items)
		t.Before = strings.TrimSpace("list of " + t.Before)
	}
	if s.Enum != nil {
		t.Before += ", one of " + strings.Join(s.Enum, ", ")
	}
	if s.Default != nil {
		t.Before += fmt.Sprintf(", %v unless given", s.Default)
	}
	return t
}

// fieldsOf lists the properties of an object, the required ones first.
func fieldsOf(s apiSchema) []fieldView {
	var fields []fieldView
	for _, name := range sortedKeys(s.Properties) {
		property := s.Properties[name]
		fields = append(fields, fieldView{Name: name, Description: property.Description, Required: slices.Contains(s.Required, name), Type: typeOf(property)})
	}
	slices.SortStableFunc(fields, func(a, b fieldView) int {
		switch {
		case a.Required == b.Required:
			return 0
		case a.Required:
			return -1
		}
		return 1
	})
	return fields
}

func paragraphs(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n\n")
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
