"""A small Django portal to stand behind the firewall: real login, CSRF and languages, and a few trackers."""
