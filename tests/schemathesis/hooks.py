"""What schemathesis must know of Roomcast beside its OpenAPI document."""

import re

import requests
import schemathesis

# Rooms of kinds that exist, and offsets likewise; random ones would hardly ever get further than their refusal.
ROOM = re.compile(r"[a-z][a-z0-9-]{0,31}:[A-Za-z0-9._~-]{1,128}")
ROOMS = ["chat:lobby", "chat:a.b_c~d-9", "game:arena", "live:stage", "user:ann"]


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if path_parameters:
        room = path_parameters.get("room")
        if isinstance(room, str) and ROOM.fullmatch(room) and len(room) % 5:
            path_parameters["room"] = ROOMS[len(room) % len(ROOMS)]
        offset = path_parameters.get("offset")
        if type(offset) is int and offset > 7 and offset % 3:
            path_parameters["offset"] = 1 + offset % 7
    return path_parameters


# A stream of events does not end by itself: its first piece is its answer.
send = requests.adapters.HTTPAdapter.send


def send_and_end(self, request, **options):
    response = send(self, request, **options)
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        response._content = next(response.raw.stream(1), b"")
        response._content_consumed = True
        response.raw.close()
    return response


requests.adapters.HTTPAdapter.send = send_and_end
