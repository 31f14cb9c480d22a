return { request_cookies = request_cookies, passes_line = passes_line }
