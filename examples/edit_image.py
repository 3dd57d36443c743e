"""A picture changed as a prompt says. Costs at least 50 credits.

    python examples/edit_image.py portrait.jpg "Give me sunglasses"

The new picture is saved beside the old one, which stays as it is: portrait-edited.png.
"""

import sys
from pathlib import Path

from magic_hour_workflows import Client, MagicHourError


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: edit_image.py PICTURE PROMPT")
    picture, prompt = Path(sys.argv[1]), sys.argv[2]
    try:
        with Client() as client:
            result = client.v1.ai_image_editor.generate(
                assets={"image_file_paths": [picture]},  # up to ten pictures
                style={"prompt": prompt},
                download_directory=picture.parent,
                output_name=f"{picture.stem}-edited.png",
            )
    except MagicHourError as error:
        sys.exit(f"edit_image.py: {error}")
    print(f"{result.downloaded_paths[0]} for {result.credits_charged} credits")


if __name__ == "__main__":
    main()
