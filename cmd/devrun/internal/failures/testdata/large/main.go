// Command large is a web app of about 26 MB, a database driver in it, whose
// requests fail a dozen calls deep.
package main

import (
	"database/sql"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync/atomic"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

const version = "v1"

type row struct {
	ID    int
	Name  string
	Tags  []string
	Next  *row
	Index map[string]int
}

// load calls itself until there is nothing left to call.
func load(db *sql.DB, depth int, last *row) string {
	key := fmt.Sprint("row ", depth)
	here := &row{depth, key, []string{"a", "b", key}, last, map[string]int{key: depth}}
	ratio := float64(depth) / 3
	if depth == 0 {
		return last.Next.Next.Next.Next.Next.Next.Next.Next.Next.Next.Next.Name // FAILS
	}
	said := load(db, depth-1, here)
	return said + key + fmt.Sprint(ratio)
}

func main() {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	if err := db.Ping(); err != nil {
		log.Fatal(err)
	}
	var visits atomic.Int64
	http.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, version) })
	http.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok", visits.Add(1)) })
	http.HandleFunc("/deep", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, load(db, 10, nil))
	})
	log.Fatal(http.ListenAndServe(net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), nil))
}
