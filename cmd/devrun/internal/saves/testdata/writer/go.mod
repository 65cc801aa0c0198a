module example.test/writer

go 1.25
