"""What the tests are written with: processes, a small HTTP client, cookie lines and metrics."""
