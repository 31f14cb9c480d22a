"""What the portal answers to."""

from django.contrib.auth.views import LoginView
from django.urls import include, path

from portal import views

urlpatterns = [
    path("login/", LoginView.as_view(template_name="login.html")),
    path("account/", views.account),
    path("form/", views.form),
    path("i18n/", include("django.conf.urls.i18n")),  # the real set_language view
    path("preferences/", views.preferences),
    path("trackers/", views.trackers),
    path("trackers/<int:status>/", views.trackers),
    path("trackers/delete/", views.delete_trackers),
    path("echo/", views.echo),
    path("upload/", views.upload),
    path("download/", views.download),
    path("gate/<slug:name>/wait/", views.wait_at_gate),
    path("gate/<slug:name>/stream/", views.stream_through_gate),
    path("gate/<slug:name>/arrived/", views.gate_arrived),
    path("gate/<slug:name>/open/", views.open_gate),
]
