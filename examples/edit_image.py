"""An image edited by a prompt. Costs at least 50 credits.

    python examples/edit_image.py portrait.jpg "Give me sunglasses"

The new image is saved in outputs/; the original is not changed.
"""

import argparse
import sys
from pathlib import Path

from magic_hour_workflows import Client, MagicHourError


def main() -> None:
    parser = argparse.ArgumentParser(description="Edit an image with a prompt. Costs at least 50 credits.")
    parser.add_argument("image", type=Path)
    parser.add_argument("prompt")
    arguments = parser.parse_args()
    image = arguments.image
    try:
        with Client() as client:
            result = client.v1.ai_image_editor.generate(
                assets={"image_file_paths": [image]},  # up to ten images
                style={"prompt": arguments.prompt},
                download_directory="outputs",
                output_name=f"{image.stem}-edited.png",
            )
    except MagicHourError as error:
        sys.exit(f"edit_image.py: {error}")
    print(f"{result.downloaded_paths[0]} for {result.credits_charged} credits")


if __name__ == "__main__":
    main()
