module example.com/served

go 1.25.0
