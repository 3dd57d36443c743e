"""A picture changed as a prompt says. Costs at least 50 credits.

    python examples/edit_image.py portrait.jpg "Give me sunglasses"

The new picture is saved in outputs/; the old one stays as it is.
"""

import argparse
import sys
from pathlib import Path

from magic_hour_workflows import Client, MagicHourError


def main() -> None:
    parser = argparse.ArgumentParser(description="Change a picture as a prompt says. Costs at least 50 credits.")
    parser.add_argument("picture", type=Path)
    parser.add_argument("prompt")
    arguments = parser.parse_args()
    picture = arguments.picture
    try:
        with Client() as client:
            result = client.v1.ai_image_editor.generate(
                assets={"image_file_paths": [picture]},  # up to ten pictures
                style={"prompt": arguments.prompt},
                download_directory="outputs",
                output_name=f"{picture.stem}-edited.png",
            )
    except MagicHourError as error:
        sys.exit(f"edit_image.py: {error}")
    print(f"{result.downloaded_paths[0]} for {result.credits_charged} credits")


if __name__ == "__main__":
    main()
