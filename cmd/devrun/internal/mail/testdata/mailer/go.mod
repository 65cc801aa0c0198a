module example.test/mailer

go 1.25
