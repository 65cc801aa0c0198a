module example.test/answers

go 1.25
