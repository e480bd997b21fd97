"""HTTP for images."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hosts import selectors
from hosts.api.filters import page_of, parameter, sort_parameter
from hosts.api.image_outputs import ImageOut, image_json
from hosts.drivers.types import HostType
from hosts.services.image_retire import image_retire
from hosts.states import ImageState
from panel.core.api.input import EmptyIn
from panel.core.api.paging import page
from panel.core.api.query import choice_param
from panel.core.api.schema import PAGING
from panel.core.api.views import PanelView, parsed, with_etag
from panel.core.permissions import Permission


class ImageListView(PanelView):
    """``/images``."""

    permissions = {"GET": Permission.IMAGE_VIEW}

    @extend_schema(
        operation_id="image_list",
        summary="List images",
        parameters=[
            parameter("host_type", "Only images that run on this type.", enum=list(HostType)),
            parameter("state", "Only images in this state; customers see ready ones only.", enum=ImageState.values),
            sort_parameter("created_at", "slug", default="slug"),
            *PAGING,
        ],
        responses=page_of(ImageOut),
    )
    def get(self, request: Request) -> Response:
        """What a guest can be made from. Customers see what can be ordered, staff all images."""
        rows = selectors.image_list_for(self.actor)
        if host_type := choice_param(request, "host_type", HostType):
            rows = rows.filter(host_types__contains=[host_type])
        if state := choice_param(request, "state", ImageState.values):
            rows = rows.filter(state=state)
        return page(
            request,
            rows,
            show=lambda image: image_json(image, self.actor),
            sorts={"created_at": "created_at", "slug": "slug"},
            default="slug",
            prepare=selectors.images_placed,
            filters=("host_type", "state"),
        )


class ImageView(PanelView):
    """``/images/{id or slug}``."""

    permissions = {"GET": Permission.IMAGE_VIEW}

    @extend_schema(operation_id="image_get", summary="Get an image", responses=ImageOut)
    def get(self, request: Request, image: str) -> Response:
        """One image, by id or slug."""
        found = selectors.images_placed([selectors.image_get_for(self.actor, image)])[0]
        return with_etag(Response(image_json(found, self.actor)), found.version)


class ImageRetireView(PanelView):
    """``/images/{id or slug}/actions/retire``."""

    permissions = {"POST": Permission.IMAGE_MANAGE}

    @extend_schema(operation_id="image_retire", summary="Retire an image", request=EmptyIn, responses=ImageOut)
    def post(self, request: Request, image: str) -> Response:
        """It can no longer be ordered; guests made from it stay as they are. 200 also when it is so already."""
        parsed(EmptyIn, request)
        retired = image_retire(actor=self.actor, image=selectors.image_get_for(self.actor, image))
        return Response(image_json(selectors.images_placed([retired])[0], self.actor))
