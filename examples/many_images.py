"""An image for each line of a file, several at a time. Costs at least 5 credits for each line.

    python examples/many_images.py prompts.txt

Each image is saved in outputs/ as soon as it is done. A failure does not stop the others.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from magic_hour_workflows import AsyncClient, JobFailed, MagicHourError, SubmissionUnknown, estimate_credits


async def make(client: AsyncClient, limit: asyncio.Semaphore, prompt: str) -> bool:
    """Make one image; return whether that succeeded."""
    try:
        async with limit:
            result = await client.v1.ai_image_generator.generate(
                image_count=1, style={"prompt": prompt}, download_directory="outputs"
            )
    except SubmissionUnknown as unknown:
        print(
            f"{prompt}: it is unknown whether this was paid for; look for {unknown.name!r} in the web app",
            file=sys.stderr,
        )
    except JobFailed as error:
        print(f"{prompt}: {error}; the credits are refunded", file=sys.stderr)
    except MagicHourError as error:  # if the job was accepted, the message says how to continue it
        print(f"{prompt}: {error}", file=sys.stderr)
    else:
        print(f"{prompt}: {result.downloaded_paths[0]}")
        return True
    return False


async def make_all(prompts: list[str]) -> list[bool]:
    """Make all images, four at a time."""
    limit = asyncio.Semaphore(4)
    async with AsyncClient() as client:
        return await asyncio.gather(*(make(client, limit, prompt) for prompt in prompts))


def main() -> None:
    parser = argparse.ArgumentParser(description="An image for each line of a file, at least 5 credits each.")
    parser.add_argument("file", type=Path)
    file = parser.parse_args().file
    try:
        prompts = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        print(f"{len(prompts)} images: {estimate_credits('ai_image_generator', image_count=len(prompts))}")
        done = asyncio.run(make_all(prompts))
    except (MagicHourError, OSError) as error:  # no key, or no such file
        sys.exit(f"many_images.py: {error}")
    if not all(done):
        sys.exit(f"many_images.py: {done.count(False)} of {len(prompts)} failed")


if __name__ == "__main__":
    main()
