module echo

go 1.25
