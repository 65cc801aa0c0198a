module example.test/churn

go 1.25
