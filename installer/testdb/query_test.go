package testdb

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseListQuery(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 18, 0, 0, 5000, time.UTC)
	const nowText = "2026-11-23 18:00:00.000005"
	newest := func(q listQuery) listQuery {
		q.Newest, q.page, q.perPage = true, 1, 20
		return q
	}
	text := func(s string) *string { return &s }
	for _, test := range []struct {
		name, raw string
		perPage   bool
		want      listQuery
		err       string
	}{
		{name: "nothing", want: newest(listQuery{})},
		{
			name: "short names, sorted", raw: "project=p&case=c&pod=n&build_tag=b",
			want: newest(listQuery{Query: Query{Filters: []Filter{{"build_tag", "b"}, {"case_name", "c"}, {"pod_name", "n"}, {"project_name", "p"}}}}),
		},
		{name: "escapes", raw: "build%5Ftag=a%20b%2Bc+d%zz%e", want: newest(listQuery{Query: Query{Filters: []Filter{{"build_tag", "a b+c d%zz%e"}}}})},
		{name: "a semicolon separates nothing", raw: "build_tag=a;version=b", want: newest(listQuery{Query: Query{Filters: []Filter{{"build_tag", "a;version=b"}}}})},
		{name: "a key alone", raw: "version", want: newest(listQuery{Query: Query{Filters: []Filter{{"version", ""}}}})},
		{name: "empty parts", raw: "&&version=1&", want: newest(listQuery{Query: Query{Filters: []Filter{{"version", "1"}}}})},
		{name: "no such field", raw: "foo=1", want: newest(listQuery{none: true, Query: Query{Filters: []Filter{{"foo", "1"}}}})},
		{name: "no field in a name", raw: "pod_name.x=1", want: newest(listQuery{none: true, Query: Query{Filters: []Filter{{"pod_name.x", "1"}}}})},
		{name: "_id", raw: "_id=0", want: newest(listQuery{none: true, Query: Query{Filters: []Filter{{"_id", "0"}}}})},
		{name: "NUL", raw: "version=a%00b", want: newest(listQuery{none: true, Query: Query{Filters: []Filter{{"version", "a\x00b"}}}})},
		{name: "per_page is no field", raw: "per_page=5", want: newest(listQuery{none: true, Query: Query{Filters: []Filter{{"per_page", "5"}}}})},
		{name: "per_page where it may", raw: "per_page=1000", perPage: true, want: listQuery{Query: Query{Newest: true}, page: 1, perPage: 1000}},
		{name: "per_page too many", raw: "per_page=1001", perPage: true, err: "400: per_page must be from 1 to 1000"},
		{name: "per_page none", raw: "per_page=0", perPage: true, err: "400: per_page must be from 1 to 1000"},
		{name: "page with sign and space", raw: "page=%20%2B2", want: listQuery{Query: Query{Newest: true}, page: 2, perPage: 20}},
		{name: "page 0 is in the order of insertion", raw: "page=0&descend=true", want: listQuery{perPage: 20}},
		{name: "page too great", raw: "page=99999999999999999999", err: "400: page must be int"},
		{name: "page in Arabic digits", raw: "page=%D9%A3", err: "400: page must be int"},
		{name: "descend", raw: "descend=False", want: listQuery{page: 1, perPage: 20}},
		{name: "period", raw: "period=2", want: newest(listQuery{Query: Query{From: text("2026-11-21 18:00:00.000005"), To: text(nowText)}})},
		{name: "period beyond all dates", raw: "period=9223372036854775807", want: newest(listQuery{Query: Query{From: text("0110-05-12 18:00:00.000005"), To: text(nowText)}})},
		{name: "to alone has no start", raw: "to=x&period=3", want: newest(listQuery{Query: Query{To: text("x")}})},
		{name: "from alone ends now", raw: "from=x&period=3", want: newest(listQuery{Query: Query{From: text("x"), To: text(nowText)}})},
		{name: "from and to", raw: "to=y&from=x", want: newest(listQuery{Query: Query{From: text("x"), To: text("y")}})},
		{name: "build_id within another key", raw: "details.build_id.x=7", want: newest(listQuery{numbers: []numberFilter{{[]string{"details", "build_id", "x"}, 7}}})},
		{name: "build_id of results", raw: "build_id=7", want: newest(listQuery{none: true, numbers: []numberFilter{{[]string{"build_id"}, 7}}})},
		{name: "not UTF-8", raw: "version=%ff", err: "400: The query is not UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseListQuery(Results, test.raw, now, test.perPage)
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Errorf("error %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(listQuery{}, numberFilter{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("query (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNumberFilter(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"build_id": 12}`:   true,
		`{"build_id": 12.0}`: true,
		`{"build_id": "12"}`: true, // it stays text, and is found again
		`{"build_id": "x"}`:  false,
		`{"build_id": 13}`:   false,
		`{"build_id": null}`: false,
		`{"build_id": [12]}`: false,
		`{}`:                 false,
	} {
		if got := (numberFilter{[]string{"build_id"}, 12}).match([]byte(body)); got != want {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
	if !(numberFilter{[]string{"details", "build_id"}, 3}).match([]byte(`{"details": {"build_id": 3}}`)) {
		t.Error("a nested number was not found")
	}
}

// FuzzQuery: whatever the arguments, they are refused with 400 or select
// pages that are within the list.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"project=functest&case=k8s_smoke&build_tag=a%20b", "page=-1&last=3&descend=FALSE", "period=1&from=x&to=y",
		"details.k=v&build_id=3&per_page=10", "page=99&last=9223372036854775807", "%zz=%&=&&a;b", "a=%00&%ff",
	} {
		f.Add(seed, 45, true)
	}
	f.Fuzz(func(t *testing.T, raw string, total int, perPage bool) {
		q, err := parseListQuery(DeployResults, raw, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), perPage)
		if err != nil {
			if failureOf(err).code != 400 {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		for _, filter := range q.Filters {
			if !q.none && strings.ContainsRune(filter.Path+filter.Value, 0) {
				t.Fatalf("%q: a store is asked for %q", raw, filter)
			}
		}
		if q.page < 1 || total < 0 {
			return
		}
		pages, err := q.cut(total)
		if err != nil {
			return
		}
		if pages > 0 && (q.Offset < 0 || q.Limit < 1 || q.Limit > q.perPage || q.Offset > total-q.Limit) {
			t.Fatalf("%q of %d: limit %d, offset %d, %d pages", raw, total, q.Limit, q.Offset, pages)
		}
	})
}

// FuzzEtag: any If-None-Match is read, and a tag is found among others.
func FuzzEtag(f *testing.F) {
	for _, seed := range []string{`"a", W/"b"`, `*`, `W/`, `"`, `"a" "b"`, `a`} {
		f.Add(seed)
	}
	tag := etagOf([]byte("x"))
	f.Fuzz(func(t *testing.T, header string) {
		matchesEtag([]string{header}, tag)
		if !matchesEtag([]string{`W/"other", ` + tag + "," + header}, tag) {
			t.Fatalf("the tag was not found before %q", header)
		}
	})
}

func TestMatchesEtag(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		`"a"`: true, `W/"a"`: true, `"b", "a"`: true, `"b" "a"`: true, `*`: true,
		``: false, `"b"`: false, `a`: false, `"a`: false, `"b", x, "a"`: false,
	} {
		if got := matchesEtag([]string{header}, `"a"`); got != want {
			t.Errorf("If-None-Match: %s: %v, want %v", header, got, want)
		}
	}
}
