"""Glance v2: images listed, shown and deleted."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from tachyon.openstack.emulator.services.paging import page_of
from tachyon.openstack.emulator.state.image import Image, checksum
from tachyon.openstack.emulator.times import zulu
from tachyon.openstack.emulator.web import Answer, Call, Refused, Route, ServiceType

PREFIX = "/image"


def _versions(call: Call) -> Any:
    version = {
        "id": "v2.17",
        "links": [{"href": f"{call.base}/v2/", "rel": "self"}],
        "status": "CURRENT",
    }
    return Answer(300, {"versions": [version]})


def _image(image: Image) -> dict[str, Any]:
    return {
        "checksum": checksum(image.id),
        "container_format": "bare",
        "created_at": zulu(image.created),
        "disk_format": "raw",
        "file": f"/v2/images/{image.id}/file",
        "id": image.id,
        "min_disk": 0,
        "min_ram": 0,
        "name": image.name,
        "owner": image.owner,
        "protected": False,
        "schema": "/v2/schemas/image",
        "self": f"/v2/images/{image.id}",
        "size": image.size,
        "status": image.status,
        "tags": [],
        "updated_at": zulu(image.created),
        "virtual_size": None,
        "visibility": "public",
    }


def _images(call: Call) -> Any:
    name = call.query.get("name")
    found = [i for i in call.cloud.images.values() if name in (None, i.name)]
    page, marker = page_of(call, found, lambda image: image.id)
    body: dict[str, Any] = {
        "first": "/v2/images",
        "images": [_image(image) for image in page],
        "schema": "/v2/schemas/images",
    }
    if marker is not None:
        kept = [(key, value) for key, value in call.pairs if key != "marker"]
        body["next"] = f"/v2/images?{urlencode([*kept, ('marker', marker)])}"
    return body


def _named(call: Call) -> Image:
    image = call.cloud.images.get(call.names["image"])
    if image is None:
        raise Refused(404, f"No image found with ID {call.names['image']}")
    return image


def _delete(call: Call) -> Any:
    del call.cloud.images[_named(call).id]


GLANCE = ServiceType(
    name="glance",
    prefix=PREFIX,
    error=lambda _status, message, _code: message,
    routes=(
        Route("GET", "/", _versions, public=True),
        Route("GET", "/v2/images", _images),
        Route("GET", "/v2/images/{image}", lambda call: _image(_named(call))),
        Route("DELETE", "/v2/images/{image}", _delete, status=204),
    ),
)
