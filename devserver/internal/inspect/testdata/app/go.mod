module example.com/inspected

go 1.25
