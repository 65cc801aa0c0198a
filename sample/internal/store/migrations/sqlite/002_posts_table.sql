CREATE TABLE post (
	id INTEGER PRIMARY KEY,
	body VARCHAR(140) NOT NULL,
	timestamp DATETIME NOT NULL,
	user_id INTEGER NOT NULL REFERENCES "user" (id)
);
CREATE INDEX ix_post_timestamp ON post (timestamp);
CREATE INDEX ix_post_user_id ON post (user_id);
