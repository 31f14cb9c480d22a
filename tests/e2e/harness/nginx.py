"""nginx as an upstream that is never the slowest of those involved: one small page with a few cookies."""

import os
import socket

from harness.processes import Program

PAGE_BYTES = 1024

# Two that the charter of `sites.own` declares as necessary, and two that nobody has consented to.
KEPT = ["sessionid=abcdef0123456789; Path=/; HttpOnly; SameSite=Lax", "csrftoken=0123456789abcdef; Path=/"]
BLOCKED = ["_ga=GA1.2.3.4; Path=/; Max-Age=63072000", "tracker=5; Path=/"]

_CONFIG = """\
daemon off;
worker_processes 1;
error_log stderr warn;
pid {directory}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path       {directory}/proxy;
    fastcgi_temp_path     {directory}/fastcgi;
    uwsgi_temp_path       {directory}/uwsgi;
    scgi_temp_path        {directory}/scgi;
    keepalive_requests 1000000;
    server {{
        listen {address};
        default_type text/plain;
        location / {{
{cookies}
            return 200 "{page}";
        }}
        location /whole-body {{
            # `return` does not wait for the body; a proxy that buffers it does.
            rewrite ^ / break;
            proxy_pass http://{address};
        }}
    }}
}}
"""


class Nginx(Program):
    """On a port of the system's choice: it inherits a socket that listens already, so there is nothing to wait for."""

    def __init__(self, directory):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1024)
            self.address = "127.0.0.1:%d" % listener.getsockname()[1]
            cookies = "\n".join(f'            add_header Set-Cookie "{line}";' for line in KEPT + BLOCKED)
            config = directory / "nginx.conf"
            config.write_text(_CONFIG.format(
                directory=directory, address=self.address, cookies=cookies, page="x" * PAGE_BYTES))
            super().__init__(
                ["nginx", "-c", config, "-p", directory, "-e", "stderr"],
                env=os.environ | {"NGINX": f"{listener.fileno()};"}, pass_fds=[listener.fileno()],
            )
