module example.test/nethttp

go 1.25
