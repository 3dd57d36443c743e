"""`client.v1`: the generated resources, those with workflows replaced by ours.

Rule: a list. What the contract has and this list lacks is the generated resource.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import magic_hour_client.resources.v1 as low_level

if TYPE_CHECKING:
    from .._client import AsyncClient, Client
    from .ai_headshot_generator import AiHeadshotGenerator, AsyncAiHeadshotGenerator
    from .ai_image_editor import AiImageEditor, AsyncAiImageEditor
    from .ai_image_generator import AiImageGenerator, AsyncAiImageGenerator
    from .ai_talking_photo import AiTalkingPhoto, AsyncAiTalkingPhoto
    from .files import AsyncFiles, Files
    from .projects import AsyncImageProjects, AsyncVideoProjects, ImageProjects, VideoProjects


class V1(low_level.V1):
    """Everything under `client.v1`."""

    _sender: Client

    @cached_property
    def files(self) -> Files:
        """Uploads."""
        from .files import Files

        return Files(self._sender)

    @cached_property
    def ai_headshot_generator(self) -> AiHeadshotGenerator:
        """Professional headshots from one portrait."""
        from .ai_headshot_generator import AiHeadshotGenerator

        return AiHeadshotGenerator(self._sender)

    @cached_property
    def ai_talking_photo(self) -> AiTalkingPhoto:
        """Videos in which a photo speaks."""
        from .ai_talking_photo import AiTalkingPhoto

        return AiTalkingPhoto(self._sender)

    @cached_property
    def ai_image_generator(self) -> AiImageGenerator:
        """Images from a text prompt."""
        from .ai_image_generator import AiImageGenerator

        return AiImageGenerator(self._sender)

    @cached_property
    def ai_image_editor(self) -> AiImageEditor:
        """Images changed as a text prompt says."""
        from .ai_image_editor import AiImageEditor

        return AiImageEditor(self._sender)

    @cached_property
    def image_projects(self) -> ImageProjects:
        """Image jobs by their id."""
        from .projects import ImageProjects

        return ImageProjects(self._sender)

    @cached_property
    def video_projects(self) -> VideoProjects:
        """Video jobs by their id."""
        from .projects import VideoProjects

        return VideoProjects(self._sender)


class AsyncV1(low_level.AsyncV1):
    """Everything under `client.v1`, async."""

    _sender: AsyncClient

    @cached_property
    def files(self) -> AsyncFiles:
        """Uploads."""
        from .files import AsyncFiles

        return AsyncFiles(self._sender)

    @cached_property
    def ai_headshot_generator(self) -> AsyncAiHeadshotGenerator:
        """Professional headshots from one portrait."""
        from .ai_headshot_generator import AsyncAiHeadshotGenerator

        return AsyncAiHeadshotGenerator(self._sender)

    @cached_property
    def ai_talking_photo(self) -> AsyncAiTalkingPhoto:
        """Videos in which a photo speaks."""
        from .ai_talking_photo import AsyncAiTalkingPhoto

        return AsyncAiTalkingPhoto(self._sender)

    @cached_property
    def ai_image_generator(self) -> AsyncAiImageGenerator:
        """Images from a text prompt."""
        from .ai_image_generator import AsyncAiImageGenerator

        return AsyncAiImageGenerator(self._sender)

    @cached_property
    def ai_image_editor(self) -> AsyncAiImageEditor:
        """Images changed as a text prompt says."""
        from .ai_image_editor import AsyncAiImageEditor

        return AsyncAiImageEditor(self._sender)

    @cached_property
    def image_projects(self) -> AsyncImageProjects:
        """Image jobs by their id."""
        from .projects import AsyncImageProjects

        return AsyncImageProjects(self._sender)

    @cached_property
    def video_projects(self) -> AsyncVideoProjects:
        """Video jobs by their id."""
        from .projects import AsyncVideoProjects

        return AsyncVideoProjects(self._sender)
