"""AdmissionReviews in, answers out: the HTTPS server, kopf's handlers and the one entry, review()."""
