"""The portal's pages."""

import hashlib
from urllib.parse import quote

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from portal.gates import PATIENCE_SECONDS, gate
from portal.sent import set_raw_cookie

# What Matomo and Google set: 13 months of 30 days and a bit, and two years.
PK_ID_SECONDS = 33_955_200
PK_SES_SECONDS = 1_800
GA_SECONDS = 63_072_000

# A value that no log, metric or page of the firewall may ever show.
SECRET = "SECRET-from-the-portal"


@login_required(login_url="/login/")
def account(request):
    return HttpResponse(f"signed in as {request.user.username}")


def form(request):
    """A form behind CsrfViewMiddleware; its page also says which language the visitor has."""
    if request.method == "POST":
        return HttpResponse(f"received {request.POST['message']}")
    return render(request, "form.html", {"language": request.LANGUAGE_CODE})


@csrf_exempt
@require_POST
def preferences(request):
    """Records the visitor's choice in the form of Opendatasoft's banner, for longer than any charter allows."""
    response = HttpResponse("recorded")
    choice = quote(request.body.decode(), safe="")
    response.set_cookie("cookies_preferences", choice, max_age=365 * 86_400, samesite="Lax")
    return response


def trackers(request, status=200):
    """Two necessary cookies in the midst of trackers, under the status asked for."""
    response = HttpResponse(f"trackers under status {status}", status=status)
    if status in (301, 302, 303, 307, 308):
        response["Location"] = "/account/"
    response.set_cookie("_pk_id.1.1fff", f"{SECRET}-pk-id", max_age=PK_ID_SECONDS, samesite="Lax")
    response.set_cookie("_pk_ses.1.1fff", f"{SECRET}-pk-ses", max_age=PK_SES_SECONDS, samesite="Lax")
    response.set_cookie("django_language", "fr")
    response.set_cookie("_ga", f"{SECRET}-ga", max_age=GA_SECONDS, domain=request.get_host().split(":")[0])
    response.set_cookie("AMCV_tracker", f"{SECRET}-amcv", httponly=True)
    set_raw_cookie(response, f"{SECRET}-nameless")
    set_raw_cookie(response, f"latin1_tracker={SECRET}-caf\xe9; Path=/; Priority=High")
    # An attribute that nobody knows and a byte above 0x7F, in a cookie that every charter declares.
    set_raw_cookie(response, "cookies_preferences=caf\xe9; path=/ ;SameSite=lax;X-Unknown=caf\xe9")
    return response


def delete_trackers(request):
    """Expires the trackers: the way Django does it, and with a value left in the line."""
    response = HttpResponse("deleted")
    response.delete_cookie("_pk_id.1.1fff", samesite="Lax")
    set_raw_cookie(response, f"_ga={SECRET}-last-words; Max-Age=0; Path=/; X-Unknown=kept")
    set_raw_cookie(response, f"AMCV_tracker={SECRET}-old; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly")
    return response


def echo(request):
    """The request as it reached Django: null stands for a header that did not."""
    headers = {name: value for name, value in request.META.items() if name.startswith("HTTP_")}
    return JsonResponse({
        "method": request.method,
        "path": request.get_full_path(),
        "cookie": request.META.get("HTTP_COOKIE"),
        "headers": headers,
        "peer_port": request.META["REMOTE_PORT"],
    })


@csrf_exempt
@require_POST
def upload(request):
    """Digests the body. Django itself reads no chunked body, so this asks gunicorn for it."""
    digest, size = hashlib.sha256(), 0
    while piece := request.environ["wsgi.input"].read(65_536):
        digest.update(piece)
        size += len(piece)
    return JsonResponse({
        "sha256": digest.hexdigest(),
        "size": size,
        "transfer_encoding": request.META.get("HTTP_TRANSFER_ENCODING"),
        "content_length": request.META.get("CONTENT_LENGTH"),
    })


def download(request):
    """`size` bytes, chunked unless `length` is asked for."""
    size = int(request.GET["size"])
    piece = bytes(range(256)) * 64
    pieces = (piece[: min(len(piece), size - start)] for start in range(0, size, len(piece)))
    response = StreamingHttpResponse(pieces, content_type="application/octet-stream")
    if "length" in request.GET:
        response["Content-Length"] = size
    return response


def wait_at_gate(request, name):
    if not gate(name).pass_through():
        return HttpResponse("nobody opened the gate", status=504)
    return HttpResponse("through the gate")


def stream_through_gate(request, name):
    def pieces():
        yield b"before the gate\n"
        if gate(name).pass_through():
            yield b"after the gate\n"

    return StreamingHttpResponse(pieces(), content_type="text/plain")


def gate_arrived(request, name):
    """Answers as soon as somebody waits at the gate."""
    reached = gate(name).reached.wait(PATIENCE_SECONDS)
    return HttpResponse("reached" if reached else "nobody came", status=200 if reached else 504)


def open_gate(request, name):
    gate(name).opened.set()
    return HttpResponse("open")
