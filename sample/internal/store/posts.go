package store

import (
	"context"
	"fmt"
	"time"
)

// Post is something that a user has said.
type Post struct {
	Body   string
	Time   time.Time
	Author User // only what a post shows: name and picture
}

// CreatePost publishes what a user says.
func (s *Store) CreatePost(ctx context.Context, author int64, body string, now time.Time) error {
	_, err := s.db.ExecContext(ctx,
		`INSERT INTO post (body, timestamp, user_id) VALUES ($1, $2, $3)`, body, stamp(now), author)
	return err
}

const selectPosts = `SELECT p.body, p.timestamp, u.username, u.email FROM post p JOIN "user" u ON u.id = p.user_id `

// Posts returns at most limit posts of everybody, newest first, after the
// newest skip of them.
func (s *Store) Posts(ctx context.Context, skip, limit int) ([]Post, error) {
	return s.posts(ctx, selectPosts+`ORDER BY p.timestamp DESC, p.id DESC LIMIT $1 OFFSET $2`, limit, skip)
}

// PostsOf is Posts of one user.
func (s *Store) PostsOf(ctx context.Context, author int64, skip, limit int) ([]Post, error) {
	return s.posts(ctx, selectPosts+`WHERE p.user_id = $1 ORDER BY p.timestamp DESC, p.id DESC LIMIT $2 OFFSET $3`, author, limit, skip)
}

func (s *Store) posts(ctx context.Context, query string, args ...any) ([]Post, error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var posts []Post
	for rows.Next() {
		var p Post
		if err := rows.Scan(&p.Body, &p.Time, &p.Author.Username, &p.Author.Email); err != nil {
			return nil, fmt.Errorf("read a post: %w", err)
		}
		p.Time = p.Time.UTC()
		posts = append(posts, p)
	}
	return posts, rows.Err()
}
