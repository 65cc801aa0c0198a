module example.test/victim

go 1.25
